/* Reads that may wait for the disk, on threads of their own. */
#include "store/embedded.h"

/* A copy of a value that RocksDB holds, or absent. An error ends the read. */
struct got { rocksdb_pinnableslice_t *slice; struct str value; };

static bool got_value(struct store_embedded *e, enum family family, const char *key, size_t key_n,
		      struct got *out, int *status)
{
	char *error = NULL;
	out->slice = rocksdb_get_pinned_cf(e->db, e->read_options, e->families[family], key, key_n, &error);
	if (error) {
		rocksdb_free(error);
		*status = ERR_UNAVAILABLE;
		return false;
	}
	if (!out->slice)
		return false;
	out->value.p = rocksdb_pinnableslice_value(out->slice, &out->value.n);
	return true;
}

static void got_free(struct got *g)
{
	rocksdb_pinnableslice_destroy(g->slice);
}

/* An iterator over the keys from `from` up to the end of `prefix`; of a snapshot, or as it is now. */
struct range { rocksdb_readoptions_t *options; rocksdb_iterator_t *it; struct key end; };

static void range_open_at(struct store_embedded *e, struct range *r, enum family family,
			  const struct key *prefix, const struct key *from,
			  const rocksdb_snapshot_t *snapshot)
{
	r->options = rocksdb_readoptions_create();
	rocksdb_readoptions_set_snapshot(r->options, snapshot);
	if (prefix->n) {
		r->end = key_after(*prefix);
		rocksdb_readoptions_set_iterate_upper_bound(r->options, r->end.p, r->end.n);
	}
	r->it = rocksdb_create_iterator_cf(e->db, r->options, e->families[family]);
	rocksdb_iter_seek(r->it, from->p, from->n);
}

static void range_open(struct store_embedded *e, struct range *r, enum family family,
		       const struct key *prefix, const struct key *from)
{
	range_open_at(e, r, family, prefix, from, NULL);
}

static bool range_at(struct range *r, struct str *key, struct str *value)
{
	if (!rocksdb_iter_valid(r->it))
		return false;
	key->p = rocksdb_iter_key(r->it, &key->n);
	value->p = rocksdb_iter_value(r->it, &value->n);
	return true;
}

static void range_close(struct range *r, int *status)
{
	char *error = NULL;
	rocksdb_iter_get_error(r->it, &error);
	if (error) {
		rocksdb_free(error);
		*status = ERR_UNAVAILABLE;
	}
	rocksdb_iter_destroy(r->it);
	rocksdb_readoptions_destroy(r->options);
}

static void count_mail(struct store_embedded *e, struct store_read *r, struct store_name_row *row)
{
	struct key prefix = key_user(r->name);
	struct range range;
	struct str key, value, op;
	struct box_head head;
	range_open(e, &range, FAMILY_BOX, &prefix, &prefix);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!value_cut_box(value, &head, &op)) {
			r->status = ERR_CORRUPT;
			break;
		}
		if (head.flags & (MAIL_RECEIPT | MAIL_INFO))
			continue;
		row->mail_count++;
		row->mail_bytes += head.text_bytes;
	}
	range_close(&range, &r->status);
}

static void read_last_seen(struct store_embedded *e, struct store_read *r, struct store_name_row *row)
{
	struct got seen;
	if (!got_value(e, FAMILY_SEEN, r->name.p, r->name.n, &seen, &r->status))
		return;
	if (!value_cut_time(seen.value, &row->last_seen_ms))
		r->status = ERR_CORRUPT;
	got_free(&seen);
}

static void read_name(struct store_embedded *e, struct store_read *r)
{
	struct got name;
	struct store_name_row row;
	if (!got_value(e, FAMILY_NAMES, r->name.p, r->name.n, &name, &r->status))
		return;
	if (!value_cut_name(name.value, &row)) {
		r->status = ERR_CORRUPT;
	} else {
		r->found = true;
		row.name = r->name;
		read_last_seen(e, r, &row);
		count_mail(e, r, &row);
		store_name_row_add(&r->rows, &row);
	}
	got_free(&name);
}

static void read_seen(struct store_embedded *e, struct store_read *r)
{
	struct got once;
	int64_t ms;
	if (!got_value(e, FAMILY_ONCE, (const char *)&r->once, sizeof(r->once), &once, &r->status))
		return;
	if (!value_cut_time(once.value, &ms))
		r->status = ERR_CORRUPT;
	else
		r->found = !embedded_aged(e, ms);
	got_free(&once);
}

/* One row for each kind on disk; one row for all kinds of one message in the answer. */
static void find_acks(struct store_embedded *e, struct store_read *r, const rocksdb_snapshot_t *at)
{
	struct key prefix = key_acks(r->name, r->id);
	struct range range;
	struct str key, value, sender;
	struct store_find_row row = { 0 };
	char row_sender[256];
	uint64_t born;
	uint8_t kind, flags;
	int64_t ms;
	range_open_at(e, &range, FAMILY_ACKS, &prefix, &prefix, at);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!key_cut_ack(key, (struct str){ prefix.p, prefix.n }, &born, &sender, &kind) ||
		    !value_cut_ack(value, &flags, &ms)) {
			r->status = ERR_CORRUPT;
			break;
		}
		if (embedded_aged(e, ms))
			continue;
		if (row.kinds && (row.sender_born != born || !str_eq(row.sender, sender))) {
			store_find_row_add(&r->rows, &row);
			row.kinds = 0;
		}
		if (!row.kinds) {
			memcpy(row_sender, sender.p, sender.n);
			row = (struct store_find_row){ .sender = { row_sender, sender.n },
						       .sender_born = born, .flags = flags };
		}
		row.kinds |= kind;
	}
	if (row.kinds)
		store_find_row_add(&r->rows, &row);
	range_close(&range, &r->status);
}

static void find_mail(struct store_embedded *e, struct store_read *r, const rocksdb_snapshot_t *at)
{
	struct key prefix = key_user(r->name);
	struct range range;
	struct str key, value, bytes;
	struct box_head head;
	struct store_op op;
	range_open_at(e, &range, FAMILY_BOX, &prefix, &prefix, at);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		size_t cursor = 0;
		if (!value_cut_box(value, &head, &bytes) ||
		    store_op_next(bytes, &cursor, &op) != 1 || op.type != OP_MAIL) {
			r->status = ERR_CORRUPT;
			break;
		}
		if (head.flags & (MAIL_RECEIPT | MAIL_INFO) || !str_eq(op.mail.id, r->id))
			continue;
		struct store_find_row row = { .sender = op.mail.sender,
					      .sender_born = op.mail.sender_born,
					      .seq = op.mail.seq, .bytes = head.text_bytes,
					      .flags = op.mail.flags };
		store_find_row_add(&r->rows, &row);
	}
	range_close(&range, &r->status);
}

/* A release moves a row from one family to the other: both are read as of one moment. */
static void read_find(struct store_embedded *e, struct store_read *r)
{
	const rocksdb_snapshot_t *now = rocksdb_create_snapshot(e->db);
	find_acks(e, r, now);
	if (r->status == OK)
		find_mail(e, r, now);
	rocksdb_release_snapshot(e->db, now);
}

static void read_mailbox(struct store_embedded *e, struct store_read *r)
{
	struct key prefix = key_user(r->name), from = key_box(r->name, r->after + 1);
	struct range range;
	struct str key, value, op;
	struct box_head head;
	unsigned rows = 0;
	range_open(e, &range, FAMILY_BOX, &prefix, &from);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (rows == r->rows_max || r->rows.n >= r->bytes_max) {
			r->more = true;
			break;
		}
		if (!value_cut_box(value, &head, &op)) {
			r->status = ERR_CORRUPT;
			break;
		}
		buf_str(&r->rows, op);
		rows++;
	}
	range_close(&range, &r->status);
}

static bool begins_with(struct str s, struct str prefix)
{
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

static void read_names(struct store_embedded *e, struct store_read *r)
{
	struct key none = { .n = 0 }, from = { .n = 0 };
	struct str start = str_cmp(r->id, r->name) > 0 ? r->id : r->name;
	struct range range;
	struct str key, value;
	struct store_name_row row;
	unsigned rows = 0;
	memcpy(from.p, start.p ? start.p : "", start.n);
	from.n = start.n;
	range_open(e, &range, FAMILY_NAMES, &none, &from);
	for (; range_at(&range, &key, &value); rocksdb_iter_next(range.it)) {
		if (!begins_with(key, r->name))
			break;
		if (r->id.n && str_cmp(key, r->id) <= 0)
			continue;
		if (rows == r->rows_max) {
			r->more = true;
			break;
		}
		if (!value_cut_name(value, &row)) {
			r->status = ERR_CORRUPT;
			break;
		}
		row.name = key;
		row.token = STR("");
		store_name_row_add(&r->rows, &row);
		rows++;
	}
	range_close(&range, &r->status);
}

static void reader_do(struct store_embedded *e, struct store_read *r)
{
	r->status = OK;
	r->found = r->more = false;
	switch (r->kind) {
	case STORE_READ_NAME:
		read_name(e, r);
		break;
	case STORE_READ_SEEN:
		read_seen(e, r);
		break;
	case STORE_READ_FIND:
		read_find(e, r);
		break;
	case STORE_READ_MAILBOX:
		read_mailbox(e, r);
		break;
	case STORE_READ_NAMES:
		read_names(e, r);
		break;
	}
	if (r->rows.failed)
		r->status = ERR_UNAVAILABLE;
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
	if (!rocksdb_key_may_exist_cf(e->db, e->read_options, e->families[FAMILY_ONCE],
				      (const char *)&once, sizeof(once), &value, &value_n, NULL, 0,
				      &found))
		return 0;
	int known = -1;
	if (found && value_cut_time((struct str){ value, value_n }, &ms))
		known = !embedded_aged(e, ms);
	rocksdb_free(value);
	return known;
}

int readers_start(struct store_embedded *e)
{
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->some, NULL);
	e->last = &e->first;
	for (unsigned i = 0; i < EMBEDDED_READERS; i++)
		if (pthread_create(&e->readers[i], NULL, reader_run, e) != 0)
			return ERR_IO;
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
