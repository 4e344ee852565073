/* FAMILY_LINKS: each tie lies there twice, once with the name at either end.
 *
 *   u8 kind << 1 | side, str8 name, the other's bytes -> the row that a read of `name` gets
 *
 * The title in a row is read anew each time: on disk it is empty. */
#include "store/embedded.h"

static struct key key_links(uint8_t kind, uint8_t side, struct str name)
{
	struct key k;
	k.n = 0;
	key_add_u8(&k, (uint8_t)(kind << 1 | side));
	key_add_str(&k, name);
	return k;
}

static struct key key_link(uint8_t kind, uint8_t side, struct str name, struct str other)
{
	struct key k = key_links(kind, side, name);
	key_add_bytes(&k, other);
	return k;
}

static void value_link(struct buf *out, const struct op_link_put *put, struct str other)
{
	struct store_link_row row = { put->kind, other, put->born, put->order,
				      put->flags, put->ms, put->text, STR("") };
	value_begin(out);
	store_link_row_add(out, &row);
}

/* Of another kind or with another name than its key says it is damaged. */
static bool value_cut_link(struct str value, uint8_t kind, struct str other,
			   struct store_link_row *row_out)
{
	size_t cursor = 0;
	return value_cut_version(&value) && store_link_row_next(value, &cursor, row_out) == 1 &&
	       cursor == value.n && row_out->kind == kind && str_eq(row_out->other, other);
}

/* --- ops --- */

static void link_put_end(struct store_embedded *e, const struct op_link_put *op, uint8_t side,
			 struct str name, struct str other)
{
	struct key key = key_link(op->kind, side, name, other);
	value_link(&e->value, op, other);
	rows_put(e, FAMILY_LINKS, &key);
}

void links_apply_put(struct store_embedded *e, const struct op_link_put *op)
{
	link_put_end(e, op, SIDE_OF, op->from, op->to);
	link_put_end(e, op, SIDE_TO, op->to, op->from);
}

void links_apply_del(struct store_embedded *e, const struct op_link_del *op)
{
	struct key of = key_link(op->kind, SIDE_OF, op->from, op->to);
	struct key to = key_link(op->kind, SIDE_TO, op->to, op->from);
	rows_forget(e, FAMILY_LINKS, &of);
	rows_forget(e, FAMILY_LINKS, &to);
}

static int links_forget(struct store_embedded *e, struct str name, uint8_t kind, uint8_t side, bool dry)
{
	struct key prefix = key_links(kind, side, name);
	struct buf rows;
	struct str key, value;
	size_t cursor = 0;
	buf_init(&rows, (size_t)1 << 30);
	int err = rows_list(e, FAMILY_LINKS, &prefix, false, &rows);
	while (!err && !dry && strs_next(buf_view(&rows), &cursor, &key) == 1 &&
	       strs_next(buf_view(&rows), &cursor, &value) == 1) {
		struct str other = { key.p + prefix.n, key.n - prefix.n };
		struct op_link_del gone = { kind, side == SIDE_OF ? name : other,
					    side == SIDE_OF ? other : name };
		links_apply_del(e, &gone);
	}
	buf_deinit(&rows);
	return err;
}

int links_apply_name_del(struct store_embedded *e, struct str name, bool dry)
{
	int err = OK;
	for (uint8_t kind = LINK_FOLLOW; kind <= LINK_OWN && !err; kind++) {
		err = links_forget(e, name, kind, SIDE_OF, dry);
		if (!err)
			err = links_forget(e, name, kind, SIDE_TO, dry);
	}
	return err;
}

/* --- reads --- */

static void link_add(struct reading *g, uint8_t side, struct store_link_row *row)
{
	struct base_got got;
	bool to_user = row->kind == LINK_FOLLOW || row->kind == LINK_BLOCK;
	if (side == SIDE_TO || to_user || !names_read_title(g, row->other, &got, &row->title)) {
		store_link_row_add(&g->r->rows, row);
		return;
	}
	store_link_row_add(&g->r->rows, row);
	got_free(g, &got);
}

/* Short enough for a key; the row is compared again when it is met. */
static struct str name_cut(struct str name)
{
	name.n = name.n < KEY_STR_BYTES_MAX ? name.n : KEY_STR_BYTES_MAX;
	return name;
}

/* One page behind `after`; `all`: without an end. */
static void links_read_behind(struct reading *g, uint8_t kind, uint8_t side, struct str after,
			      bool all)
{
	struct key prefix = key_links(kind, side, g->r->name);
	struct key from = key_link(kind, side, g->r->name, name_cut(after));
	struct range range;
	struct str key, value;
	struct store_link_row row;
	unsigned rows = 0;
	range_open(g, FAMILY_LINKS, &prefix, &from, &range);
	for (; range_at(&range, &key, &value); range_next(&range)) {
		struct str other = { key.p + prefix.n, key.n - prefix.n };
		if (after.n && str_cmp(other, after) <= 0)
			continue;
		if (!all && reading_page_full(g, rows++))
			break;
		if (!value_cut_link(value, kind, other, &row)) {
			reading_damaged(g);
			break;
		}
		link_add(g, side, &row);
	}
	range_close(g, &range);
}

void links_read(struct reading *g)
{
	links_read_behind(g, g->r->link, g->r->side, g->r->id, false);
}

void links_read_all(struct reading *g, enum store_link kind, enum store_side side)
{
	links_read_behind(g, (uint8_t)kind, (uint8_t)side, STR(""), true);
}
