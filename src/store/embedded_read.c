/* Reads that may wait for the disk, on threads of their own. */
#include "store/embedded.h"
#include "base/clock.h"
#include "base/log.h"

/* One read: all it looks at is as of one moment, so that it never sees part of a transaction. */
struct reading { struct store_embedded *e; struct store_read *r; rocksdb_readoptions_t *options; };

/* Ends the read. Told once a second at most: damage is usually met again and again. */
static void reading_fail(struct reading *g, int status, const char *what)
{
	int64_t now = mono_now().ns, last = atomic_load(&g->e->complained_ns);
	g->r->status = status;
	if (now - last >= NS_PER_S && atomic_compare_exchange_strong(&g->e->complained_ns, &last, now))
		LOG(ERROR, "storage", LOG_Z("failed", "reading"), LOG_Z("error", what));
}

/* Takes what RocksDB says went wrong; NULL is nothing. */
static void reading_error(struct reading *g, char *error)
{
	if (!error)
		return;
	reading_fail(g, strstr(error, "Corruption") ? ERR_CORRUPT : ERR_UNAVAILABLE, error);
	rocksdb_free(error);
}

static void reading_damaged(struct reading *g)
{
	reading_fail(g, ERR_CORRUPT, "a row is not what this version writes");
}

/* A value that RocksDB holds till got_free, or false for none. */
struct got { rocksdb_pinnableslice_t *slice; struct str value; };

static bool got_value(struct reading *g, enum family family, struct str key, struct got *out)
{
	char *error = NULL;
	out->slice = rocksdb_get_pinned_cf(g->e->db, g->options, g->e->families[family], key.p, key.n,
					   &error);
	reading_error(g, error);
	if (error || !out->slice)
		return false;
	out->value.p = rocksdb_pinnableslice_value(out->slice, &out->value.n);
	return true;
}

static void got_free(struct got *got)
{
	rocksdb_pinnableslice_destroy(got->slice);
}

static void count_mail(struct reading *g, struct store_name_row *row)
{
	struct key prefix = key_user(g->r->name);
	struct range range;
	struct str key, value;
	struct ids_row ids;
	range_open(g->e, FAMILY_IDS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!value_cut_ids(value, &ids)) {
			reading_damaged(g);
			break;
		}
		row->mail_count++;
		row->mail_bytes += ids.find.bytes;
	}
	reading_error(g, range_close(&range));
}

static void read_last_seen(struct reading *g, struct store_name_row *row)
{
	struct got seen;
	if (!got_value(g, FAMILY_SEEN, row->name, &seen))
		return;
	if (!value_cut_time(seen.value, &row->last_seen_ms))
		reading_damaged(g);
	got_free(&seen);
}

static void add_title(struct reading *g, struct store_link_row *row)
{
	struct got got;
	struct store_name_row name;
	bool titled = row->kind == LINK_MEMBER || row->kind == LINK_LISTED || row->kind == LINK_OWN;
	if (!titled || !got_value(g, FAMILY_NAMES, row->other, &got)) {
		store_link_row_add(&g->r->rows, row);
		return;
	}
	if (value_cut_name(got.value, &name) && name.kind != STORE_USER)
		row->title = name.title;
	store_link_row_add(&g->r->rows, row);
	got_free(&got);
}

static void link_range(struct reading *g, uint8_t kind, uint8_t side, struct str after, unsigned rows_max, size_t bytes_max)
{
	struct key prefix = key_links(kind, side, g->r->name), from = key_link(kind, side, g->r->name, after);
	struct range range;
	struct str key, value;
	struct store_link_row row;
	unsigned rows = 0;
	range_open(g->e, FAMILY_LINKS, g->options, &prefix, &from, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (key.n == from.n && memcmp(key.p, from.p, key.n) == 0)
			continue;
		if (rows && (rows >= rows_max || g->r->rows.n >= bytes_max)) {
			g->r->more = true;
			break;
		}
		if (!value_cut_link(value, &row)) {
			reading_damaged(g);
			break;
		}
		if (side == SIDE_OF)
			add_title(g, &row);
		else
			store_link_row_add(&g->r->rows, &row);
		rows++;
	}
	reading_error(g, range_close(&range));
}

static void read_text(struct reading *g)
{
	struct got got;
	struct str bytes;
	struct key key = key_text(g->r->name, g->r->what);
	if (!got_value(g, FAMILY_TEXTS, (struct str){ key.p, key.n }, &got))
		return;
	if (value_cut_bytes(got.value, &bytes)) {
		g->r->found = true;
		buf_str(&g->r->rows, bytes);
	} else {
		reading_damaged(g);
	}
	got_free(&got);
}

static void fanout_row(struct reading *g, const struct op_fanout *f)
{
	struct buf slices;
	struct str slice;
	size_t at = 0;
	buf_init(&slices, (size_t)1 << 30);
	for (uint32_t i = 0; strs_next(f->slices, &at, &slice) == 1; i++) {
		struct key key = key_fanout_done(f->seq, i);
		struct got got;
		bool done = got_value(g, FAMILY_FANOUTS, (struct str){ key.p, key.n }, &got);
		if (done)
			got_free(&got);
		strs_add(&slices, done ? STR("") : slice);
	}
	struct store_op op = { .type = OP_FANOUT, .fanout = *f };
	op.fanout.slices = buf_view(&slices);
	txn_add(&g->r->rows, &op);
	buf_deinit(&slices);
}

static void read_fanouts(struct reading *g)
{
	struct key all = { .n = 0 }, from = key_fanout(g->r->after + 1);
	struct range range;
	struct str key, value, bytes;
	struct store_op op;
	unsigned rows = 0;
	range_open(g->e, FAMILY_FANOUTS, g->options, &all, &from, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (key.n != 8)
			continue;
		if (rows && (rows >= g->r->rows_max || g->r->rows.n >= g->r->bytes_max)) {
			g->r->more = true;
			break;
		}
		if (!value_cut_bytes(value, &bytes) || store_op_at(bytes, 0, &op) != OK || op.type != OP_FANOUT) {
			reading_damaged(g);
			break;
		}
		fanout_row(g, &op.fanout);
		rows++;
	}
	reading_error(g, range_close(&range));
}

static uint64_t low_seq(struct reading *g)
{
	struct key prefix = key_user(g->r->name), from = key_box(g->r->name, 0);
	struct range range;
	struct str key, value;
	uint64_t low = 0;
	range_open(g->e, FAMILY_BOX, g->options, &prefix, &from, &range);
	for (; range_at(&range, &key, &value) && key_cut_seq(key) < UINT64_C(1) << STORE_SEQ_BITS; rocksdb_iter_next(range.it))
		low = key_cut_seq(key);
	reading_error(g, range_close(&range));
	return low;
}

static void read_name(struct reading *g)
{
	struct got name;
	struct store_name_row row;
	if (!got_value(g, FAMILY_NAMES, g->r->name, &name))
		return;
	if (!value_cut_name(name.value, &row)) {
		reading_damaged(g);
	} else {
		g->r->found = true;
		row.name = g->r->name;
		if (row.kind == STORE_USER) {
			read_last_seen(g, &row);
			count_mail(g, &row);
			row.low_seq = low_seq(g);
		}
		store_name_row_add(&g->r->rows, &row);
		uint8_t link = row.kind == STORE_USER ? LINK_BLOCK : row.kind == STORE_GROUP ? LINK_MEMBER : LINK_LISTED;
		link_range(g, link, row.kind == STORE_USER ? SIDE_OF : SIDE_TO, STR(""), UINT32_MAX, SIZE_MAX);
		if (row.kind == STORE_USER)
			link_range(g, LINK_OWN, SIDE_OF, STR(""), UINT32_MAX, SIZE_MAX);
	}
	got_free(&name);
}

static void read_seen(struct reading *g)
{
	struct got once;
	int64_t ms;
	struct str key = { (const char *)&g->r->once, sizeof(g->r->once) };
	if (!got_value(g, FAMILY_ONCE, key, &once))
		return;
	if (!value_cut_time(once.value, &ms))
		reading_damaged(g);
	else
		g->r->found = !embedded_aged(g->e, ms);
	got_free(&once);
}

/* What several rows say of the acknowledgement of one message. */
struct acked { struct store_find_row find; char sender[EMBEDDED_NAME_BYTES_MAX]; };

static void acked_end(struct reading *g, struct acked *a)
{
	if (a->find.kinds & KINDS_RELEASE) { /* else what remains is of one that has aged */
		a->find.kinds &= (uint8_t)~KINDS_RELEASE;
		store_find_row_add(&g->r->rows, &a->find);
	}
	a->find = (struct store_find_row){ 0 };
}

static bool acked_row(struct reading *g, struct acked *a, struct str key, struct str value,
		      struct str prefix)
{
	struct str sender;
	uint64_t born;
	uint8_t kinds, flags;
	int64_t ms;
	if (!key_cut_ack(key, prefix, &born, &sender, &kinds) || !value_cut_ack(value, &flags, &ms))
		return false;
	if (embedded_aged(g->e, ms))
		return true;
	if (a->find.sender_born != born || !str_eq(a->find.sender, sender)) {
		acked_end(g, a);
		memcpy(a->sender, sender.p, sender.n);
		a->find = (struct store_find_row){ .sender = { a->sender, sender.n }, .sender_born = born };
	}
	a->find.kinds |= kinds;
	if (kinds & KINDS_RELEASE)
		a->find.flags = flags;
	return true;
}

static void find_acks(struct reading *g)
{
	struct key prefix = key_id(g->r->name, g->r->id);
	struct range range;
	struct str key, value;
	struct acked acked;
	acked.find = (struct store_find_row){ 0 };
	range_open(g->e, FAMILY_ACKS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!acked_row(g, &acked, key, value, (struct str){ prefix.p, prefix.n })) {
			reading_damaged(g);
			break;
		}
	}
	acked_end(g, &acked);
	reading_error(g, range_close(&range));
}

static void find_mail(struct reading *g)
{
	struct key prefix = key_id(g->r->name, g->r->id);
	struct range range;
	struct str key, value;
	struct ids_row row;
	range_open(g->e, FAMILY_IDS, g->options, &prefix, &prefix, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!value_cut_ids(value, &row)) {
			reading_damaged(g);
			break;
		}
		row.find.seq = key_cut_seq(key);
		store_find_row_add(&g->r->rows, &row.find);
	}
	reading_error(g, range_close(&range));
}

static void read_find(struct reading *g)
{
	find_acks(g);
	if (g->r->status == OK)
		find_mail(g);
}

static void read_mailbox(struct reading *g)
{
	struct store_read *r = g->r;
	if (r->after == UINT64_MAX)
		return;
	struct key prefix = key_user(r->name), from = key_box(r->name, r->after + 1);
	struct range range;
	struct str key, value, op;
	unsigned rows = 0;
	range_open(g->e, FAMILY_BOX, g->options, &prefix, &from, &range);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (rows && (rows >= r->rows_max || r->rows.n >= r->bytes_max)) {
			r->more = true;
			break;
		}
		if (!value_cut_box(value, &op)) {
			reading_damaged(g);
			break;
		}
		buf_str(&r->rows, op);
		rows++;
	}
	reading_error(g, range_close(&range));
}

/* Where to start: behind `id` or at the prefix, whichever comes later. Cut to the length of a key:
 * the row is compared again when it is met. */
static struct key names_start(const struct store_read *r)
{
	struct str start = str_cmp(r->id, r->name) > 0 ? r->id : r->name;
	struct key from;
	from.n = start.n < sizeof(from.p) ? start.n : sizeof(from.p);
	memcpy(from.p, from.n ? start.p : "", from.n);
	return from;
}

static void read_names(struct reading *g)
{
	struct store_read *r = g->r;
	struct key all = { .n = 0 }, from = names_start(r);
	struct range range;
	struct str key, value;
	struct store_name_row row;
	unsigned rows = 0;
	range_open(g->e, FAMILY_NAMES, g->options, &all, &from, &range);
	for (; range_at(&range, &key, &value) && str_begins(key, r->name); rocksdb_iter_next(range.it)) {
		if (r->id.n && str_cmp(key, r->id) <= 0)
			continue;
		if (rows == r->rows_max) {
			r->more = true;
			break;
		}
		if (!value_cut_name(value, &row)) {
			reading_damaged(g);
			break;
		}
		if (row.kind != STORE_USER)
			continue;
		row.name = key;
		row.token = STR("");
		read_last_seen(g, &row);
		store_name_row_add(&r->rows, &row);
		rows++;
	}
	reading_error(g, range_close(&range));
}

static void reading_do(struct reading *g)
{
	switch (g->r->kind) {
	case STORE_READ_NAME:
		read_name(g);
		break;
	case STORE_READ_SEEN:
		read_seen(g);
		break;
	case STORE_READ_FIND:
		read_find(g);
		break;
	case STORE_READ_MAILBOX:
		read_mailbox(g);
		break;
	case STORE_READ_NAMES:
		read_names(g);
		break;
	case STORE_READ_LINKS:
		link_range(g, g->r->link, g->r->side, g->r->id, g->r->rows_max, g->r->bytes_max);
		break;
	case STORE_READ_TEXT:
		read_text(g);
		break;
	case STORE_READ_FANOUTS:
		read_fanouts(g);
		break;
	}
	if (g->r->rows.failed)
		g->r->status = ERR_UNAVAILABLE;
}

static bool may_be_key(struct str s)
{
	return s.n <= EMBEDDED_NAME_BYTES_MAX;
}

static void reader_do(struct store_embedded *e, struct store_read *r)
{
	r->status = OK;
	r->found = r->more = false;
	if (r->kind != STORE_READ_NAMES && (!may_be_key(r->name) || !may_be_key(r->id)))
		return; /* nothing is stored under such a name */
	struct reading g = { e, r, rocksdb_readoptions_create() };
	const rocksdb_snapshot_t *now = rocksdb_create_snapshot(e->db);
	rocksdb_readoptions_set_snapshot(g.options, now);
	reading_do(&g);
	rocksdb_release_snapshot(e->db, now);
	rocksdb_readoptions_destroy(g.options);
}

static void *reader_run(void *ctx)
{
	struct store_embedded *e = ctx;
	pthread_mutex_lock(&e->lock);
	for (;;) {
		while (!e->first && !atomic_load(&e->stopping))
			pthread_cond_wait(&e->some, &e->lock);
		struct inbox_node *node = e->first;
		if (!node)
			break;
		e->first = node->next;
		if (!e->first)
			e->last = &e->first;
		pthread_mutex_unlock(&e->lock);
		unsigned worker = node->kind;
		reader_do(e, (struct store_read *)(void *)node);
		node->kind = INBOX_STORE_READ;
		inbox_push(e->store.inbox[worker], node);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void embedded_read(struct store *s, unsigned w, struct store_read *read)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	read->node.kind = w;
	read->node.next = NULL;
	pthread_mutex_lock(&e->lock);
	*e->last = &read->node;
	e->last = &read->node.next;
	pthread_cond_signal(&e->some);
	pthread_mutex_unlock(&e->lock);
}

/* Bloom filters and memtables are in memory: nearly every new message is answered here. */
int embedded_seen(struct store *s, unsigned w, struct hash128 once)
{
	struct store_embedded *e = (struct store_embedded *)(void *)s;
	char *value = NULL;
	size_t value_n = 0;
	unsigned char found = 0;
	int64_t ms;
	(void)w;
	int known = rocksdb_key_may_exist_cf(e->db, e->read_options, e->families[FAMILY_ONCE],
					     (const char *)&once, sizeof(once), &value, &value_n, NULL,
					     0, &found) ? -1 : 0;
	if (known && found && value_cut_time((struct str){ value, value_n }, &ms))
		known = !embedded_aged(e, ms);
	rocksdb_free(value); /* which it may have set though the key is not there */
	return known;
}

int readers_start(struct store_embedded *e)
{
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->some, NULL);
	e->last = &e->first;
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (pthread_create(&e->readers[i], NULL, reader_run, e) != 0)
			return ERR_NOMEM;
	return OK;
}

void readers_stop(struct store_embedded *e)
{
	pthread_mutex_lock(&e->lock);
	atomic_store(&e->stopping, true);
	pthread_cond_broadcast(&e->some);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (e->readers[i])
			pthread_join(e->readers[i], NULL);
	pthread_cond_destroy(&e->some);
	pthread_mutex_destroy(&e->lock);
}
