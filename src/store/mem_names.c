#include "store/memory.h"
#include <stdlib.h>

static int name_order(const void *key, const void *item)
{
	const struct mem_name *n = item;
	return str_cmp(*(const struct str *)key, n->name);
}

struct mem_name *mem_names_get(const struct store_mem *m, struct str name)
{
	return sorted_get(&m->names, &name, name_order);
}

struct mem_name *mem_names_make(struct store_mem *m, struct str name)
{
	struct mem_name *n = mem_names_get(m, name);
	if (n)
		return n;
	n = calloc(1, sizeof(*n) + name.n);
	CHECK(n);
	char *bytes = (char *)(n + 1);
	if (name.n)
		memcpy(bytes, name.p, name.n);
	n->name = (struct str){ bytes, name.n };
	n->last_seen_ms = -1;
	sorted_put(&m->names, sorted_place(&m->names, &name, name_order), n);
	return n;
}

static void name_free(struct mem_name *n)
{
	kept_unref(&n->put);
	for (size_t i = 0; i <= TEXT_STATUS; i++)
		kept_unref(&n->texts[i]);
	sorted_free_kept(&n->links[SIDE_OF]);
	sorted_free_kept(&n->links[SIDE_TO]);
	sorted_free_kept(&n->mails);
	sorted_free_kept(&n->acks);
	free(n);
}

void mem_names_free(struct store_mem *m)
{
	for (size_t i = 0; i < m->names.n; i++)
		name_free(m->names.items[i]);
	free(m->names.items);
}

uint8_t mem_name_kind(const struct mem_name *n)
{
	if (!n || !n->put)
		return STORE_NOBODY;
	return n->put->op.type == OP_USER_PUT ? STORE_USER : n->put->op.name_put.kind;
}

/* --- ops --- */

void mem_names_apply_put(struct store_mem *m, const struct store_op *op)
{
	bool is_user = op->type == OP_USER_PUT;
	struct mem_name *n = mem_names_make(m, is_user ? op->user_put.name : op->name_put.name);
	kept_unref(&n->put);
	n->put = kept_new(op);
}

void mem_names_apply_text(struct store_mem *m, const struct store_op *op)
{
	CHECK(op->text_put.what <= TEXT_STATUS);
	struct kept **text = &mem_names_make(m, op->text_put.name)->texts[op->text_put.what];
	kept_unref(text);
	if (op->text_put.text.n)
		*text = kept_new(op);
}

/* Nobody will release what lies in the mailbox: it counts as released now. */
void mem_names_apply_del(struct store_mem *m, struct str name)
{
	struct mem_name *n = mem_names_get(m, name);
	if (!n)
		return;
	for (size_t i = 0; i < n->mails.n; i++) {
		const struct kept *mail = n->mails.items[i];
		mem_once_put(m, mail->op.mail.once, m->newest_ms);
	}
	mem_links_forget(m, n);
	sorted_take(&m->names, sorted_place(&m->names, &name, name_order));
	name_free(n);
}

/* --- reads --- */

static struct store_name_row user_row(const struct mem_name *n)
{
	const struct op_user_put *put = &n->put->op.user_put;
	return (struct store_name_row){
		.name = n->name, .kind = STORE_USER, .type = put->type, .born = put->born,
		.last_seen_ms = n->last_seen_ms,
	};
}

static struct store_name_row group_row(const struct mem_name *n)
{
	const struct op_name_put *put = &n->put->op.name_put;
	return (struct store_name_row){
		.name = n->name, .kind = put->kind, .born = put->born,
		.last_seen_ms = n->last_seen_ms, .created_ms = put->created_ms,
		.title = put->title, .owner = put->owner,
	};
}

/* The links that stay in memory with the name. */
static void name_links(const struct store_mem *m, const struct mem_name *n, struct buf *rows)
{
	switch (mem_name_kind(n)) {
	case STORE_USER:
		mem_links_add(m, n, LINK_BLOCK, SIDE_OF, rows);
		mem_links_add(m, n, LINK_OWN, SIDE_OF, rows);
		break;
	case STORE_GROUP:
		mem_links_add(m, n, LINK_MEMBER, SIDE_TO, rows);
		break;
	case STORE_BROADCAST:
		mem_links_add(m, n, LINK_LISTED, SIDE_TO, rows);
		break;
	default:
		break;
	}
}

void mem_names_read_one(const struct store_mem *m, struct store_read *r)
{
	const struct mem_name *n = mem_names_get(m, r->name);
	uint8_t kind = mem_name_kind(n);
	r->found = kind != STORE_NOBODY; /* a mailbox alone is nobody */
	if (!r->found)
		return;
	struct store_name_row row = kind == STORE_USER ? user_row(n) : group_row(n);
	if (kind == STORE_USER)
		row.token = n->put->op.user_put.token;
	mem_mail_count(n, &row);
	store_name_row_add(&r->rows, &row);
	name_links(m, n, &r->rows);
}

void mem_names_read(const struct store_mem *m, struct store_read *r)
{
	struct str from = str_cmp(r->id, r->name) > 0 ? r->id : r->name;
	unsigned rows = 0;
	for (size_t i = sorted_place(&m->names, &from, name_order); i < m->names.n; i++) {
		const struct mem_name *n = m->names.items[i];
		if (!str_begins(n->name, r->name))
			return;
		if (mem_name_kind(n) != STORE_USER || str_eq(n->name, r->id))
			continue;
		if (rows++ == r->rows_max) {
			r->more = true;
			return;
		}
		struct store_name_row row = user_row(n);
		store_name_row_add(&r->rows, &row);
	}
}

void mem_names_read_text(const struct store_mem *m, struct store_read *r)
{
	const struct mem_name *n = mem_names_get(m, r->name);
	const struct kept *text = n && r->what <= TEXT_STATUS ? n->texts[r->what] : NULL;
	r->found = text;
	if (text)
		buf_str(&r->rows, text->op.text_put.text);
}
