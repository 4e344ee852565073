/* The reference engine: everything in maps behind one lock, forgotten at close. A batch is applied
 * when it is submitted and handed back at once. Clear rather than fast: tests and the simulator
 * measure the others by it. */
#include "base/list.h"
#include "base/map.h"
#include "store/batch_rule.h"
#include "store/txn.h"
#include <pthread.h>
#include <stdlib.h>

#define SWEEP_EVERY 1024 /* transactions between two looks for what has aged */

struct mem_mail { /* one message, in one or several mailboxes */
	unsigned refs;
	struct op_mail op; /* views point behind the struct; receivers left out */
};

struct mem_ack {
	struct list node; /* in mem_user.acks, oldest first */
	uint64_t sender_born;
	int64_t ms;
	uint8_t flags, kinds;
	struct str sender, id; /* point behind the struct */
};

struct mem_user {
	struct str name; /* points behind the struct */
	struct op_user_put put; /* its token is owned */
	int64_t last_seen_ms;
	struct op_name_put group; /* kind 0: none; title and owner are owned */
	struct str texts[3];     /* by enum store_text; owned */
	struct mem_mail **mails; /* by seq */
	size_t mail_n, mail_cap;
	struct list acks;
};

struct mem_link { struct op_link_put op; struct str key; char bytes[]; };
struct mem_fanout { struct op_fanout op; struct buf bytes; uint8_t *done; };

struct mem_once { struct hash128 key; int64_t released_ms; /* 0: in a mailbox */ };

struct store_mem {
	struct store store;
	struct store_config config;
	struct batch_rule rule;
	pthread_mutex_t lock;
	struct map users;
	struct map once; /* by the 16 bytes of the key */
	struct map links; /* by kind, from, to */
	struct map fanouts; /* by the 8 bytes of seq */
	int64_t newest_ms;
	unsigned since_sweep;
};

static struct store_mem *mem_of(struct store *s) { return (struct store_mem *)(void *)s; }

static char *copy_str(char *at, struct str *s)
{
	if (s->n)
		memcpy(at, s->p, s->n);
	s->p = at;
	return at + s->n;
}

/* A copy that own_free frees. */
static struct str own(struct str s)
{
	char *p = malloc(s.n + 1);
	CHECK(p);
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

static void own_free(struct str s)
{
	free((char *)(uintptr_t)s.p);
}

/* --- users --- */

static struct mem_user *user_get(struct store_mem *m, struct str name)
{
	return map_get(&m->users, name);
}

static struct mem_user *user_make(struct store_mem *m, struct str name)
{
	struct mem_user *u = user_get(m, name);
	if (u)
		return u;
	u = calloc(1, sizeof(*u) + name.n);
	CHECK(u);
	u->name = name;
	copy_str((char *)(u + 1), &u->name);
	u->last_seen_ms = -1;
	list_init(&u->acks);
	CHECK(map_put(&m->users, u->name, u) == OK);
	return u;
}

static void mail_unref(struct mem_mail *mail)
{
	if (--mail->refs == 0)
		free(mail);
}

static void user_free(struct mem_user *u)
{
	for (size_t i = 0; i < u->mail_n; i++)
		mail_unref(u->mails[i]);
	LIST_EACH_SAFE(&u->acks, it, tmp)
		free(LIST_ENTRY(it, struct mem_ack, node));
	free(u->mails);
	own_free(u->put.token);
	own_free(u->group.title);
	own_free(u->group.owner);
	for (size_t i = 0; i < sizeof(u->texts) / sizeof(u->texts[0]); i++)
		own_free(u->texts[i]);
	free(u);
}

/* The place of the first mail with a sequence of at least `seq`. */
static size_t user_place(const struct mem_user *u, uint64_t seq)
{
	size_t low = 0, high = u->mail_n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (u->mails[mid]->op.seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- ops --- */

static void apply_user_put(struct store_mem *m, const struct op_user_put *op)
{
	struct mem_user *u = user_make(m, op->name);
	own_free(u->put.token);
	u->put = *op;
	u->put.name = u->name;
	u->put.token = own(op->token);
}

static void once_set(struct store_mem *m, struct hash128 key, int64_t released_ms)
{
	struct str bytes = { (const char *)&key, sizeof(key) };
	if (!(key.a | key.b))
		return;
	struct mem_once *o = map_get(&m->once, bytes);
	if (!o) {
		o = malloc(sizeof(*o));
		CHECK(o);
		o->key = key;
		CHECK(map_put(&m->once, (struct str){ (const char *)&o->key, sizeof(o->key) }, o) == OK);
	}
	o->released_ms = released_ms;
}

static void link_key(struct buf *out, uint8_t kind, struct str from, struct str to)
{
	buf_init(out, 4096);
	buf_u8(out, kind);
	strs_add(out, from);
	strs_add(out, to);
}

static void link_del(struct store_mem *m, uint8_t kind, struct str from, struct str to)
{
	struct buf key;
	link_key(&key, kind, from, to);
	free(map_remove(&m->links, buf_view(&key)));
	buf_deinit(&key);
}

static void link_put(struct store_mem *m, const struct op_link_put *op)
{
	struct buf key;
	link_del(m, op->kind, op->from, op->to);
	link_key(&key, op->kind, op->from, op->to);
	struct mem_link *l = malloc(sizeof(*l) + key.n + op->from.n + op->to.n + op->text.n);
	CHECK(l);
	l->op = *op;
	l->key = buf_view(&key);
	char *at = copy_str(l->bytes, &l->key);
	at = copy_str(at, &l->op.from);
	at = copy_str(at, &l->op.to);
	copy_str(at, &l->op.text);
	CHECK(map_put(&m->links, l->key, l) == OK);
	buf_deinit(&key);
}

static void links_forget(struct store_mem *m, struct str name)
{
	for (bool again = true; again;) {
		size_t cursor = 0;
		struct str key;
		void *value;
		again = false;
		while (map_next(&m->links, &cursor, &key, &value)) {
			struct mem_link *l = value;
			if (str_eq(l->op.from, name) || str_eq(l->op.to, name)) {
				map_remove(&m->links, key);
				free(l);
				again = true;
				break;
			}
		}
	}
}

static void apply_name_put(struct store_mem *m, const struct op_name_put *op)
{
	struct mem_user *u = user_make(m, op->name);
	own_free(u->group.title);
	own_free(u->group.owner);
	u->group = *op;
	u->group.name = u->name;
	u->group.title = own(op->title);
	u->group.owner = own(op->owner);
}

static void apply_text_put(struct store_mem *m, const struct op_text_put *op)
{
	struct str *text = &user_make(m, op->name)->texts[op->what];
	own_free(*text);
	*text = own(op->text);
}

static void apply_fanout(struct store_mem *m, const struct op_fanout *op)
{
	struct mem_fanout *f = calloc(1, sizeof(*f));
	CHECK(f);
	buf_init(&f->bytes, 1 << 28);
	struct store_op o = { .type = OP_FANOUT, .fanout = *op };
	txn_add(&f->bytes, &o);
	CHECK(store_op_at(buf_view(&f->bytes), 0, &o) == OK);
	f->op = o.fanout;
	f->done = calloc(op->slice_count + 1, 1);
	CHECK(map_put(&m->fanouts, (struct str){ (char *)&f->op.seq, 8 }, f) == OK);
	once_set(m, op->once, op->kind == STORE_GROUP ? 0 : op->ms);
}

static struct mem_fanout *fanout_get(struct store_mem *m, uint64_t seq)
{
	return map_get(&m->fanouts, (struct str){ (const char *)&seq, sizeof(seq) });
}

static void fanout_free(struct mem_fanout *f)
{
	buf_deinit(&f->bytes);
	free(f->done);
	free(f);
}

static void apply_fanout_done(struct store_mem *m, const struct op_fanout_done *op)
{
	struct mem_fanout *f = fanout_get(m, op->seq);
	if (f && op->slice < f->op.slice_count)
		f->done[op->slice] = 1;
}

static void apply_fanout_end(struct store_mem *m, uint64_t seq)
{
	struct mem_fanout *f = map_remove(&m->fanouts, (struct str){ (const char *)&seq, sizeof(seq) });
	if (f)
		fanout_free(f);
}

/* Nobody will release what lies in his mailbox: it counts as released now. */
static void apply_name_del(struct store_mem *m, const struct op_name_del *op)
{
	struct mem_user *u = map_remove(&m->users, op->name);
	links_forget(m, op->name);
	if (!u)
		return;
	for (size_t i = 0; i < u->mail_n; i++)
		once_set(m, u->mails[i]->op.once, m->newest_ms);
	user_free(u);
}

static struct mem_mail *mail_make(const struct op_mail *op)
{
	struct mem_mail *mail = malloc(sizeof(*mail) + op->sender.n + op->target.n + op->id.n + op->text.n);
	CHECK(mail);
	mail->refs = 1;
	mail->op = *op;
	mail->op.receiver_count = 0;
	mail->op.receivers = STR("");
	char *at = (char *)(mail + 1);
	at = copy_str(at, &mail->op.sender);
	at = copy_str(at, &mail->op.target);
	at = copy_str(at, &mail->op.id);
	copy_str(at, &mail->op.text);
	return mail;
}

static void mail_into(struct mem_user *u, struct mem_mail *mail)
{
	size_t at = user_place(u, mail->op.seq);
	if (at < u->mail_n && u->mails[at]->op.seq == mail->op.seq) {
		mail_unref(u->mails[at]);
		u->mails[at] = mail;
		mail->refs++;
		return;
	}
	if (u->mail_n == u->mail_cap) {
		u->mail_cap = u->mail_cap ? u->mail_cap * 2 : 8;
		u->mails = realloc(u->mails, u->mail_cap * sizeof(struct mem_mail *));
		CHECK(u->mails);
	}
	memmove(&u->mails[at + 1], &u->mails[at], (u->mail_n - at) * sizeof(struct mem_mail *));
	u->mails[at] = mail;
	u->mail_n++;
	mail->refs++;
}

static void apply_mail(struct store_mem *m, const struct op_mail *op)
{
	struct mem_mail *mail = mail_make(op);
	struct str name;
	size_t cursor = 0;
	while (strs_next(op->receivers, &cursor, &name) == 1)
		mail_into(user_make(m, name), mail);
	mail_unref(mail);
	once_set(m, op->once, 0);
}

static struct mem_ack *ack_find(struct mem_user *u, struct str sender, uint64_t born, struct str id)
{
	LIST_EACH_SAFE(&u->acks, it, tmp) {
		struct mem_ack *a = LIST_ENTRY(it, struct mem_ack, node);
		if (a->sender_born == born && str_eq(a->id, id) && str_eq(a->sender, sender))
			return a;
	}
	return NULL;
}

static void ack_remember(struct mem_user *u, const struct op_release *op)
{
	struct mem_ack *a = ack_find(u, op->sender, op->sender_born, op->id);
	if (a) {
		a->kinds |= op->kinds;
		a->ms = op->ms;
		list_remove(&a->node);
		list_append(&u->acks, &a->node);
		return;
	}
	a = malloc(sizeof(*a) + op->sender.n + op->id.n);
	CHECK(a);
	*a = (struct mem_ack){ .sender_born = op->sender_born, .ms = op->ms, .flags = op->flags,
			       .kinds = op->kinds, .sender = op->sender, .id = op->id };
	copy_str(copy_str((char *)(a + 1), &a->sender), &a->id);
	list_append(&u->acks, &a->node);
}

static void mail_out_of(struct mem_user *u, uint64_t seq)
{
	size_t at = user_place(u, seq);
	if (at == u->mail_n || u->mails[at]->op.seq != seq)
		return;
	mail_unref(u->mails[at]);
	u->mail_n--;
	memmove(&u->mails[at], &u->mails[at + 1], (u->mail_n - at) * sizeof(struct mem_mail *));
}

static void apply_release(struct store_mem *m, const struct op_release *op)
{
	struct mem_user *u = user_make(m, op->user);
	mail_out_of(u, op->seq);
	once_set(m, op->once, op->ms);
	if (!(op->flags & (MAIL_RECEIPT | MAIL_INFO)))
		ack_remember(u, op);
}

static void apply_ack(struct store_mem *m, const struct op_ack *op)
{
	struct mem_user *u = user_get(m, op->user);
	struct mem_ack *a = u ? ack_find(u, op->sender, op->sender_born, op->id) : NULL;
	if (a)
		a->kinds |= op->kinds;
}

static void note_time(struct store_mem *m, int64_t ms)
{
	if (ms > m->newest_ms)
		m->newest_ms = ms;
}

static void apply(struct store_mem *m, const struct store_op *op)
{
	switch (op->type) {
	case OP_USER_PUT:
		apply_user_put(m, &op->user_put);
		break;
	case OP_NAME_DEL:
		apply_name_del(m, &op->name_del);
		break;
	case OP_NAME_PUT: apply_name_put(m, &op->name_put); break;
	case OP_LINK_PUT: link_put(m, &op->link_put); break;
	case OP_LINK_DEL: link_del(m, op->link_del.kind, op->link_del.from, op->link_del.to); break;
	case OP_TEXT_PUT: apply_text_put(m, &op->text_put); break;
	case OP_ONCE: once_set(m, op->once.once, op->once.ms); break;
	case OP_FANOUT: apply_fanout(m, &op->fanout); break;
	case OP_FANOUT_DONE: apply_fanout_done(m, &op->fanout_done); break;
	case OP_FANOUT_END: apply_fanout_end(m, op->fanout_end.seq); break;
	case OP_LAST_SEEN:
		user_make(m, op->last_seen.name)->last_seen_ms = op->last_seen.ms;
		note_time(m, op->last_seen.ms);
		break;
	case OP_MAIL:
		apply_mail(m, &op->mail);
		note_time(m, op->mail.ms);
		break;
	case OP_RELEASE:
		apply_release(m, &op->release);
		note_time(m, op->release.ms);
		break;
	case OP_ACK:
		apply_ack(m, &op->ack);
		break;
	case OP_NONE:
	case OP_TYPE_COUNT:
		CHECK_NEVER("op without type");
	}
}

static bool aged(const struct store_mem *m, int64_t ms)
{
	return ms && ms + m->config.retention_ms <= m->newest_ms;
}

static void sweep(struct store_mem *m)
{
	struct map keep;
	struct str key;
	void *value;
	size_t cursor = 0;
	map_init(&keep);
	while (map_next(&m->once, &cursor, &key, &value)) {
		struct mem_once *o = value;
		if (aged(m, o->released_ms))
			free(o);
		else
			CHECK(map_put(&keep, key, o) == OK);
	}
	map_deinit(&m->once);
	m->once = keep;
	cursor = 0;
	while (map_next(&m->users, &cursor, &key, &value)) {
		struct mem_user *u = value;
		while (!list_empty(&u->acks)) {
			struct mem_ack *a = LIST_ENTRY(u->acks.next, struct mem_ack, node);
			if (!aged(m, a->ms))
				break;
			list_remove(&a->node);
			free(a);
		}
	}
}

static void apply_batch(struct store_mem *m, struct str bytes)
{
	size_t cursor = 0;
	struct str ops;
	struct store_op op;
	int r;
	while ((r = store_txn_next(bytes, &cursor, &ops)) == 1) {
		size_t at = 0;
		while ((r = store_op_next(ops, &at, &op)) == 1)
			apply(m, &op);
		CHECK(r == 0);
		if (++m->since_sweep >= SWEEP_EVERY) {
			m->since_sweep = 0;
			sweep(m);
		}
	}
	CHECK(r == 0); /* the bytes are our own */
}

static void mem_submit(struct store *s, unsigned w, struct store_batch *batch)
{
	struct store_mem *m = mem_of(s);
	pthread_mutex_lock(&m->lock);
	batch->status = batch_rule_admit(&m->rule, w, batch);
	if (batch->status == OK)
		apply_batch(m, buf_view(&batch->ops));
	pthread_mutex_unlock(&m->lock);
	batch->node.kind = INBOX_STORE_BATCH;
	inbox_push(m->store.inbox[w], &batch->node);
}

/* --- reads --- */

static bool mem_has(struct store_mem *m, struct hash128 key)
{
	struct mem_once *o = map_get(&m->once, (struct str){ (const char *)&key, sizeof(key) });
	return o && !aged(m, o->released_ms);
}

static int mem_seen(struct store *s, unsigned w, struct hash128 key)
{
	struct store_mem *m = mem_of(s);
	(void)w;
	pthread_mutex_lock(&m->lock);
	bool has = mem_has(m, key);
	pthread_mutex_unlock(&m->lock);
	return has;
}

static struct store_name_row name_row(const struct mem_user *u, bool whole)
{
	struct store_name_row row = {
		.name = u->name, .kind = STORE_USER, .type = u->put.type, .born = u->put.born,
		.last_seen_ms = u->last_seen_ms, .token = whole ? u->put.token : STR(""),
	};
	for (size_t i = 0; whole && i < u->mail_n; i++) {
		if (u->mails[i]->op.flags & (MAIL_RECEIPT | MAIL_INFO))
			continue;
		row.mail_count++;
		row.mail_bytes += u->mails[i]->op.text.n;
	}
	return row;
}

static void link_row(struct store_mem *m, struct buf *rows, const struct mem_link *l, uint8_t side)
{
	struct str other = side == SIDE_OF ? l->op.to : l->op.from;
	struct mem_user *u = user_get(m, other);
	struct store_link_row row = { l->op.kind, other, l->op.born, l->op.order, l->op.flags, l->op.ms,
				      l->op.text, u && u->group.kind && side == SIDE_OF ? u->group.title : STR("") };
	store_link_row_add(rows, &row);
}

static struct mem_link *link_after(struct store_mem *m, uint8_t kind, uint8_t side, struct str name, struct str after)
{
	struct mem_link *least = NULL;
	struct str key;
	void *value;
	size_t cursor = 0;
	while (map_next(&m->links, &cursor, &key, &value)) {
		struct mem_link *l = value;
		struct str mine = side == SIDE_OF ? l->op.from : l->op.to, other = side == SIDE_OF ? l->op.to : l->op.from;
		if (l->op.kind != kind || !str_eq(mine, name) || str_cmp(other, after) <= 0)
			continue;
		if (!least || str_cmp(other, side == SIDE_OF ? least->op.to : least->op.from) < 0)
			least = l;
	}
	return least;
}

static void read_links(struct store_mem *m, struct store_read *r)
{
	struct str after = r->id;
	for (unsigned rows = 0;; rows++) {
		struct mem_link *l = link_after(m, r->link, r->side, r->name, after);
		if (!l)
			return;
		if (rows && (rows >= r->rows_max || r->rows.n >= r->bytes_max)) {
			r->more = true;
			return;
		}
		link_row(m, &r->rows, l, r->side);
		after = r->side == SIDE_OF ? l->op.to : l->op.from;
	}
}

static void read_fanouts(struct store_mem *m, struct store_read *r)
{
	uint64_t after = r->after;
	for (;;) {
		struct mem_fanout *least = NULL;
		struct str key;
		void *value;
		size_t cursor = 0;
		while (map_next(&m->fanouts, &cursor, &key, &value)) {
			struct mem_fanout *f = value;
			if (f->op.seq > after && (!least || f->op.seq < least->op.seq))
				least = f;
		}
		if (!least)
			return;
		struct buf slices;
		buf_init(&slices, 1 << 28);
		struct str slice;
		size_t at = 0;
		for (unsigned i = 0; strs_next(least->op.slices, &at, &slice) == 1; i++)
			strs_add(&slices, least->done[i] ? STR("") : slice);
		struct store_op op = { .type = OP_FANOUT, .fanout = least->op };
		op.fanout.slices = buf_view(&slices);
		txn_add(&r->rows, &op);
		buf_deinit(&slices);
		after = least->op.seq;
	}
}

static void read_name(struct store_mem *m, struct store_read *r)
{
	struct mem_user *u = user_get(m, r->name);
	r->found = u && (u->put.born || u->group.kind); /* a mailbox alone is no user */
	if (!r->found)
		return;
	struct store_name_row row = name_row(u, true);
	uint8_t link = LINK_BLOCK, side = SIDE_OF;
	for (size_t i = 0; i < u->mail_n; i++)
		if (u->mails[i]->op.seq < UINT64_C(1) << STORE_SEQ_BITS)
			row.low_seq = u->mails[i]->op.seq;
	row.title = row.owner = STR("");
	if (u->group.kind) {
		row.kind = u->group.kind;
		row.born = u->group.born;
		row.created_ms = u->group.created_ms;
		row.title = u->group.title;
		row.owner = u->group.owner;
		row.token = STR("");
		link = row.kind == STORE_GROUP ? LINK_MEMBER : LINK_LISTED;
		side = SIDE_TO;
	}
	store_name_row_add(&r->rows, &row);
	struct mem_link *l;
	struct str after = STR("");
	while ((l = link_after(m, link, side, r->name, after))) {
		link_row(m, &r->rows, l, side);
		after = side == SIDE_OF ? l->op.to : l->op.from;
	}
}

static void read_find(struct store_mem *m, struct store_read *r)
{
	struct mem_user *u = user_get(m, r->name);
	if (!u)
		return;
	LIST_EACH_SAFE(&u->acks, it, tmp) {
		struct mem_ack *a = LIST_ENTRY(it, struct mem_ack, node);
		if (!str_eq(a->id, r->id) || aged(m, a->ms))
			continue;
		struct store_find_row row = { a->sender, a->sender_born, 0, 0, a->flags, a->kinds, { 0, 0 } };
		store_find_row_add(&r->rows, &row);
	}
	for (size_t i = 0; i < u->mail_n; i++) {
		const struct op_mail *mail = &u->mails[i]->op;
		if (mail->flags & (MAIL_RECEIPT | MAIL_INFO) || !str_eq(mail->id, r->id))
			continue;
		struct store_find_row row = { mail->sender, mail->sender_born, mail->seq,
					      (uint32_t)mail->text.n, mail->flags, 0, mail->once };
		store_find_row_add(&r->rows, &row);
	}
}

static void read_mailbox(struct store_mem *m, struct store_read *r)
{
	struct mem_user *u = user_get(m, r->name);
	unsigned rows = 0;
	if (!u || r->after == UINT64_MAX)
		return;
	for (size_t i = user_place(u, r->after + 1); i < u->mail_n; i++) {
		if (rows && (rows >= r->rows_max || r->rows.n >= r->bytes_max)) {
			r->more = true;
			return;
		}
		struct store_op op = { .type = OP_MAIL, .mail = u->mails[i]->op };
		txn_add(&r->rows, &op);
		rows++;
	}
}

/* The next name after `after`: the reference may be slow. */
static struct mem_user *name_after(struct store_mem *m, struct str prefix, struct str after)
{
	struct mem_user *least = NULL;
	struct str key;
	void *value;
	size_t cursor = 0;
	while (map_next(&m->users, &cursor, &key, &value)) {
		struct mem_user *u = value;
		if (u->put.born && str_begins(key, prefix) && str_cmp(key, after) > 0 &&
		    (!least || str_cmp(key, least->name) < 0))
			least = u;
	}
	return least;
}

static void read_names(struct store_mem *m, struct store_read *r)
{
	struct str after = r->id;
	for (unsigned rows = 0;; rows++) {
		struct mem_user *u = name_after(m, r->name, after);
		if (!u)
			return;
		if (rows == r->rows_max) {
			r->more = true;
			return;
		}
		struct store_name_row row = name_row(u, false);
		store_name_row_add(&r->rows, &row);
		after = u->name;
	}
}

static void mem_read(struct store *s, unsigned w, struct store_read *r)
{
	struct store_mem *m = mem_of(s);
	r->status = OK;
	r->found = r->more = false;
	pthread_mutex_lock(&m->lock);
	switch (r->kind) {
	case STORE_READ_NAME:
		read_name(m, r);
		break;
	case STORE_READ_SEEN:
		r->found = mem_has(m, r->once);
		break;
	case STORE_READ_FIND:
		read_find(m, r);
		break;
	case STORE_READ_MAILBOX:
		read_mailbox(m, r);
		break;
	case STORE_READ_NAMES:
		read_names(m, r);
		break;
	case STORE_READ_LINKS: read_links(m, r); break;
	case STORE_READ_TEXT: {
		struct mem_user *u = user_get(m, r->name);
		r->found = u && u->texts[r->what].n;
		if (r->found)
			buf_str(&r->rows, u->texts[r->what]);
		break;
	}
	case STORE_READ_FANOUTS: read_fanouts(m, r); break;
	}
	pthread_mutex_unlock(&m->lock);
	if (r->rows.failed)
		r->status = ERR_UNAVAILABLE;
	r->node.kind = INBOX_STORE_READ;
	inbox_push(m->store.inbox[w], &r->node);
}

/* --- open, close --- */

static int mem_open(const struct store_config *config, struct store **store_out, char *why,
		    size_t why_size)
{
	struct store_mem *m = calloc(1, sizeof(*m));
	(void)why;
	(void)why_size;
	if (!m)
		return ERR_NOMEM;
	CHECK(config->workers <= STORE_WORKERS_MAX);
	m->store.engine = &store_memory;
	m->store.epoch = 1;
	hash_key_random(&m->store.once_key);
	m->config = *config;
	memcpy(m->store.inbox, config->inbox, config->workers * sizeof(m->store.inbox[0]));
	pthread_mutex_init(&m->lock, NULL);
	map_init(&m->users);
	map_init(&m->once);
	map_init(&m->links);
	map_init(&m->fanouts);
	*store_out = &m->store;
	return OK;
}

static void mem_close(struct store *s)
{
	struct store_mem *m = mem_of(s);
	struct str key;
	void *value;
	size_t cursor = 0;
	while (map_next(&m->users, &cursor, &key, &value))
		user_free(value);
	cursor = 0;
	while (map_next(&m->once, &cursor, &key, &value))
		free(value);
	cursor = 0;
	while (map_next(&m->links, &cursor, &key, &value))
		free(value);
	cursor = 0;
	while (map_next(&m->fanouts, &cursor, &key, &value))
		fanout_free(value);
	map_deinit(&m->users);
	map_deinit(&m->once);
	map_deinit(&m->links);
	map_deinit(&m->fanouts);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

const struct store_engine store_memory = {
	.name = "memory",
	.open = mem_open,
	.close = mem_close,
	.submit = mem_submit,
	.seen = mem_seen,
	.read = mem_read,
};
