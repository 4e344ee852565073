/* Who or what bears a name, and what is the name's.
 *
 *   FAMILY_NAMES  the name's bytes    -> kind, then of a user type, birth and hash of the token, of a
 *                                        group or broadcast the op that put it
 *   FAMILY_SEEN   the name's bytes    -> when he was seen last
 *   FAMILY_TEXTS  str8 name, u8 what  -> the text */
#include "store/embedded.h"

_Static_assert(OP_NAME_PUT == 7, "the type stands on disk in every row of a group or broadcast");

static void value_user(struct buf *out, const struct op_user_put *put)
{
	value_begin(out);
	buf_u8(out, STORE_USER);
	buf_u8(out, put->type);
	buf_add(out, &put->born, sizeof(put->born));
	buf_str(out, put->token);
}

static void value_group(struct buf *out, const struct op_name_put *put)
{
	struct store_op op = { .type = OP_NAME_PUT, .name_put = *put };
	value_begin(out);
	buf_u8(out, put->kind);
	txn_add(out, &op);
}

static bool value_cut_user(struct str value, struct store_name_row *row_out)
{
	if (!value_cut(&value, &row_out->type, sizeof(row_out->type)) ||
	    !value_cut(&value, &row_out->born, sizeof(row_out->born)))
		return false;
	row_out->token = value;
	return true;
}

static bool value_cut_group(struct str value, struct store_name_row *row_out)
{
	struct store_op op;
	size_t cursor = 0;
	if (store_op_next(value, &cursor, &op) != 1 || cursor != value.n || op.type != OP_NAME_PUT ||
	    op.name_put.kind != row_out->kind)
		return false;
	row_out->born = op.name_put.born;
	row_out->created_ms = op.name_put.created_ms;
	row_out->title = op.name_put.title;
	row_out->owner = op.name_put.owner;
	return true;
}

static bool value_cut_name(struct str value, struct store_name_row *row_out)
{
	*row_out = (struct store_name_row){ .last_seen_ms = -1 };
	if (!value_cut_version(&value) || !value_cut(&value, &row_out->kind, sizeof(row_out->kind)))
		return false;
	return row_out->kind == STORE_USER ? value_cut_user(value, row_out)
					   : value_cut_group(value, row_out);
}

static struct key key_text(struct str name, uint8_t what)
{
	struct key k = key_str(name);
	key_add_u8(&k, what);
	return k;
}

/* --- ops --- */

void names_apply_user(struct store_embedded *e, const struct op_user_put *op)
{
	struct key key = key_bytes(op->name);
	value_user(&e->value, op);
	rows_put(e, FAMILY_NAMES, &key);
}

void names_apply_put(struct store_embedded *e, const struct op_name_put *op)
{
	struct key key = key_bytes(op->name);
	value_group(&e->value, op);
	rows_put(e, FAMILY_NAMES, &key);
}

void names_apply_last_seen(struct store_embedded *e, const struct op_last_seen *op)
{
	struct key key = key_bytes(op->name);
	value_time(&e->value, op->ms);
	rows_put(e, FAMILY_SEEN, &key);
}

void names_apply_text(struct store_embedded *e, const struct op_text_put *op)
{
	struct key key = key_text(op->name, op->what);
	if (!op->text.n) {
		rows_forget(e, FAMILY_TEXTS, &key);
		return;
	}
	value_begin(&e->value);
	buf_str(&e->value, op->text);
	rows_put(e, FAMILY_TEXTS, &key);
}

int names_apply_del(struct store_embedded *e, struct str name, bool dry)
{
	struct key key = key_bytes(name), texts = key_str(name);
	int err = mail_apply_name_del(e, name, dry);
	if (!err)
		err = links_apply_name_del(e, name, dry);
	if (!err)
		err = rows_forget_all(e, FAMILY_TEXTS, &texts, dry);
	if (err || dry)
		return err;
	rows_forget(e, FAMILY_NAMES, &key);
	rows_forget(e, FAMILY_SEEN, &key);
	return OK;
}

/* --- reads --- */

static void read_last_seen(struct reading *g, struct store_name_row *row)
{
	struct base_got seen;
	if (!got_value(g, FAMILY_SEEN, row->name, &seen))
		return;
	if (!value_cut_time(seen.value, &row->last_seen_ms))
		reading_damaged(g);
	got_free(g, &seen);
}

static void read_user(struct reading *g, struct store_name_row *row)
{
	read_last_seen(g, row);
	mail_read_count(g, row);
	store_name_row_add(&g->r->rows, row);
	links_read_all(g, LINK_BLOCK, SIDE_OF);
	links_read_all(g, LINK_OWN, SIDE_OF);
}

static void read_group(struct reading *g, struct store_name_row *row)
{
	store_name_row_add(&g->r->rows, row);
	links_read_all(g, row->kind == STORE_GROUP ? LINK_MEMBER : LINK_LISTED, SIDE_TO);
}

void names_read_one(struct reading *g)
{
	struct base_got name;
	struct store_name_row row;
	if (!got_value(g, FAMILY_NAMES, g->r->name, &name))
		return;
	if (value_cut_name(name.value, &row)) {
		g->r->found = true;
		row.name = g->r->name;
		if (row.kind == STORE_USER)
			read_user(g, &row);
		else
			read_group(g, &row);
	} else {
		reading_damaged(g);
	}
	got_free(g, &name);
}

/* Where to start: behind `id` or at the prefix, whichever comes later. Cut to the length of a key:
 * the row is compared again when it is met. */
static struct key names_start(const struct store_read *r)
{
	struct str start = str_cmp(r->id, r->name) > 0 ? r->id : r->name;
	start.n = start.n < KEY_BYTES_MAX ? start.n : KEY_BYTES_MAX;
	return key_bytes(start);
}

void names_read(struct reading *g)
{
	struct store_read *r = g->r;
	struct key from = names_start(r);
	struct range range;
	struct str key, value;
	struct store_name_row row;
	unsigned rows = 0;
	range_open(g, FAMILY_NAMES, NULL, &from, &range);
	for (; range_at(&range, &key, &value) && str_begins(key, r->name); range_next(&range)) {
		if (r->id.n && str_cmp(key, r->id) <= 0)
			continue;
		if (!value_cut_name(value, &row)) {
			reading_damaged(g);
			break;
		}
		if (row.kind != STORE_USER)
			continue;
		if (rows++ == r->rows_max) {
			r->more = true;
			break;
		}
		row.name = key;
		row.token = STR("");
		read_last_seen(g, &row);
		store_name_row_add(&r->rows, &row);
	}
	range_close(g, &range);
}

void names_read_text(struct reading *g)
{
	struct base_got got;
	struct key key = key_text(g->r->name, g->r->what);
	if (!got_value(g, FAMILY_TEXTS, key_view(&key), &got))
		return;
	if (value_cut_version(&got.value)) {
		g->r->found = true;
		buf_str(&g->r->rows, got.value);
	} else {
		reading_damaged(g);
	}
	got_free(g, &got);
}

bool names_read_title(struct reading *g, struct str name, struct base_got *got_out,
		      struct str *title_out)
{
	struct store_name_row row;
	if (!got_value(g, FAMILY_NAMES, name, got_out))
		return false;
	bool known = value_cut_name(got_out->value, &row);
	if (known && row.kind != STORE_USER) {
		*title_out = row.title;
		return true;
	}
	if (!known)
		reading_damaged(g);
	got_free(g, got_out);
	return false;
}
