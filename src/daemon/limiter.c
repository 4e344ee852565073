#include "daemon/limiter.h"
#include "base/list.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

#define SLICES 6 /* of ten seconds each */
#define SLICE_NS (10 * NS_PER_S)

struct address {
	struct list by_age;   /* in limiter->failed, when it has failures */
	int64_t newest;       /* number of the slice counted last */
	unsigned failures[SLICES];
	unsigned connections;
	size_t name_n;
	char name[LIMITER_ADDRESS_BYTES_MAX];
};

struct limiter {
	pthread_mutex_t lock;
	struct map addresses;
	struct list failed;   /* those with failures, longest ago first */
	unsigned failed_n;
};

struct limiter *limiter_create(void)
{
	struct limiter *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	map_init(&l->addresses);
	list_init(&l->failed);
	return l;
}

void limiter_destroy(struct limiter **limiter)
{
	struct limiter *l = *limiter;
	struct str key;
	void *value;
	size_t cursor = 0;
	if (!l)
		return;
	while (map_next(&l->addresses, &cursor, &key, &value))
		free(value);
	map_deinit(&l->addresses);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*limiter = NULL;
}

static struct str cut(struct str name)
{
	if (name.n > LIMITER_ADDRESS_BYTES_MAX)
		name.n = LIMITER_ADDRESS_BYTES_MAX;
	return name;
}

/* NULL: out of memory; then nobody is limited. */
static struct address *address_new(struct limiter *l, struct str name)
{
	struct address *a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	list_init(&a->by_age);
	a->name_n = name.n;
	memcpy(a->name, name.p, name.n);
	if (map_put(&l->addresses, (struct str){ a->name, a->name_n }, a) == OK)
		return a;
	free(a);
	return NULL;
}

static void address_drop_if_idle(struct limiter *l, struct address *a)
{
	if (a->connections || !list_alone(&a->by_age))
		return;
	map_remove(&l->addresses, (struct str){ a->name, a->name_n });
	free(a);
}

static void forget_failures(struct limiter *l, struct address *a)
{
	list_remove(&a->by_age);
	l->failed_n--;
	memset(a->failures, 0, sizeof(a->failures));
	address_drop_if_idle(l, a);
}

/* Those whose failures have aged, and one more if there is no room. */
static void forget_old(struct limiter *l, int64_t slice)
{
	while (!list_empty(&l->failed)) {
		struct address *a = LIST_ENTRY(l->failed.next, struct address, by_age);
		if (slice - a->newest < SLICES && l->failed_n < LIMITER_ADDRESSES_MAX)
			return;
		forget_failures(l, a);
	}
}

static void count_failures(struct limiter *l, struct address *a, unsigned add, int64_t slice)
{
	for (int64_t s = a->newest + 1; s <= slice && s <= a->newest + SLICES; s++)
		a->failures[s % SLICES] = 0;
	a->newest = slice;
	a->failures[slice % SLICES] += add;
	if (list_alone(&a->by_age))
		l->failed_n++;
	list_remove(&a->by_age);
	list_append(&l->failed, &a->by_age);
}

static unsigned failures_of(const struct address *a, int64_t slice)
{
	unsigned sum = 0;
	for (int64_t s = slice - SLICES + 1; s <= a->newest; s++)
		if (s > a->newest - SLICES && s >= 0)
			sum += a->failures[s % SLICES];
	return sum;
}

unsigned limiter_failures(struct limiter *l, struct str name, unsigned add, struct mono now)
{
	int64_t slice = now.ns / SLICE_NS;
	unsigned failures = 0;
	name = cut(name);
	pthread_mutex_lock(&l->lock);
	if (add)
		forget_old(l, slice);
	struct address *a = map_get(&l->addresses, name);
	if (!a && add)
		a = address_new(l, name);
	if (a && add)
		count_failures(l, a, add, slice);
	if (a)
		failures = failures_of(a, slice);
	pthread_mutex_unlock(&l->lock);
	return failures;
}

bool limiter_connect(struct limiter *l, struct str name, unsigned max)
{
	name = cut(name);
	pthread_mutex_lock(&l->lock);
	struct address *a = map_get(&l->addresses, name);
	if (!a)
		a = address_new(l, name);
	bool within = !a || ++a->connections <= max || max == 0;
	pthread_mutex_unlock(&l->lock);
	return within;
}

void limiter_disconnect(struct limiter *l, struct str name)
{
	pthread_mutex_lock(&l->lock);
	struct address *a = map_get(&l->addresses, cut(name));
	if (a && a->connections > 0) { /* not counted when memory was out */
		a->connections--;
		address_drop_if_idle(l, a);
	}
	pthread_mutex_unlock(&l->lock);
}

unsigned limiter_connections(struct limiter *l, struct str name)
{
	pthread_mutex_lock(&l->lock);
	struct address *a = map_get(&l->addresses, cut(name));
	unsigned n = a ? a->connections : 0;
	pthread_mutex_unlock(&l->lock);
	return n;
}
