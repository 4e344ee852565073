#include "store/memory.h"

/* At each end they are sorted by kind, then by the name at the other end. */
struct link_key { uint8_t kind; struct str other; };

static struct str link_other(const struct kept *link, uint8_t side)
{
	return side == SIDE_OF ? link->op.link_put.to : link->op.link_put.from;
}

static int link_order(const struct link_key *key, const struct kept *link, uint8_t side)
{
	int kinds = key->kind - link->op.link_put.kind;
	return kinds ? kinds : str_cmp(key->other, link_other(link, side));
}

static int link_order_of(const void *key, const void *item)
{
	return link_order(key, item, SIDE_OF);
}

static int link_order_to(const void *key, const void *item)
{
	return link_order(key, item, SIDE_TO);
}

static size_t link_place(const struct mem_name *n, uint8_t side, uint8_t kind, struct str other)
{
	struct link_key key = { kind, other };
	return sorted_place(&n->links[side], &key, side == SIDE_OF ? link_order_of : link_order_to);
}

/* The link that stands at that place if it is of that kind, else NULL. */
static struct kept *link_at(const struct mem_name *n, uint8_t side, uint8_t kind, size_t place)
{
	struct kept *link = place < n->links[side].n ? n->links[side].items[place] : NULL;
	return link && link->op.link_put.kind == kind ? link : NULL;
}

/* --- ops --- */

/* Forgets one end of a link, if it is there. */
static void link_forget(struct mem_name *n, uint8_t side, uint8_t kind, struct str other)
{
	size_t place = n ? link_place(n, side, kind, other) : 0;
	struct kept *link = n ? link_at(n, side, kind, place) : NULL;
	if (!link || !str_eq(link_other(link, side), other))
		return;
	sorted_take(&n->links[side], place);
	kept_unref(&link);
}

void mem_links_apply_del(struct store_mem *m, const struct op_link_del *op)
{
	link_forget(mem_names_get(m, op->from), SIDE_OF, op->kind, op->to);
	link_forget(mem_names_get(m, op->to), SIDE_TO, op->kind, op->from);
}

void mem_links_apply_put(struct store_mem *m, const struct store_op *op)
{
	const struct op_link_put *put = &op->link_put;
	struct mem_name *from = mem_names_make(m, put->from), *to = mem_names_make(m, put->to);
	struct op_link_del before = { put->kind, put->from, put->to };
	mem_links_apply_del(m, &before);
	struct kept *link = kept_new(op);
	link->refs = 2;
	sorted_put(&from->links[SIDE_OF], link_place(from, SIDE_OF, put->kind, put->to), link);
	sorted_put(&to->links[SIDE_TO], link_place(to, SIDE_TO, put->kind, put->from), link);
}

void mem_links_forget(struct store_mem *m, struct mem_name *n)
{
	for (uint8_t side = SIDE_OF; side <= SIDE_TO; side++) {
		while (n->links[side].n) {
			struct kept *link = sorted_take(&n->links[side], n->links[side].n - 1);
			struct mem_name *far = mem_names_get(m, link_other(link, side));
			link_forget(far, !side, link->op.link_put.kind, n->name);
			kept_unref(&link);
		}
	}
}

/* --- reads --- */

static struct str title_of(const struct store_mem *m, struct str group)
{
	const struct mem_name *n = mem_names_get(m, group);
	uint8_t kind = mem_name_kind(n);
	return kind == STORE_GROUP || kind == STORE_BROADCAST ? n->put->op.name_put.title : STR("");
}

static void link_add(const struct store_mem *m, const struct kept *kept, uint8_t side,
		     struct buf *rows)
{
	const struct op_link_put *l = &kept->op.link_put;
	bool titled = l->kind == LINK_MEMBER || l->kind == LINK_LISTED || l->kind == LINK_OWN;
	struct store_link_row row = {
		.kind = l->kind, .other = link_other(kept, side), .born = l->born,
		.order = l->order, .flags = l->flags, .ms = l->ms, .text = l->text,
		.title = titled && side == SIDE_OF ? title_of(m, l->to) : STR(""),
	};
	store_link_row_add(rows, &row);
}

void mem_links_add(const struct store_mem *m, const struct mem_name *n, uint8_t kind, uint8_t side,
	       struct buf *rows)
{
	const struct kept *link;
	for (size_t i = link_place(n, side, kind, STR("")); (link = link_at(n, side, kind, i)); i++)
		link_add(m, link, side, rows);
}

void mem_links_read(const struct store_mem *m, struct store_read *r)
{
	const struct mem_name *n = mem_names_get(m, r->name);
	const struct kept *link;
	unsigned rows = 0;
	if (!n)
		return;
	for (size_t i = link_place(n, r->side, r->link, r->id);
	     (link = link_at(n, r->side, r->link, i)); i++) {
		if (str_eq(link_other(link, r->side), r->id))
			continue;
		if (page_is_full(r, rows++))
			return;
		link_add(m, link, r->side, &r->rows);
	}
}
