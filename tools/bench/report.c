#include "report.h"
#include "scenario.h"
#include <inttypes.h>
#include <jansson.h>

#define DURATION_CHARS 16
#define NAME_CHARS 12

static const struct quantile { const char *name; unsigned in_10000; } quantiles[] = {
	{ "p50", 5000 }, { "p90", 9000 }, { "p99", 9900 }, { "p99.9", 9990 },
};
#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static const struct { const char *json, *text; } troubles[TROUBLE_COUNT] = {
#define TROUBLE(name, json, text) { json, text },
	TROUBLES(TROUBLE)
#undef TROUBLE
};

/* --- figures --- */

static double per(double amount, double of)
{
	return of > 0 ? amount / of : 0;
}

/* Of the load. */
static double elapsed_s(const struct bench *b)
{
	double s = 0;
	for (unsigned i = 0; i < b->stretch_n; i++)
		if (b->stretch[i].loaded && b->stretch[i].last.ns > b->stretch[i].start.ns)
			s += (double)(b->stretch[i].last.ns - b->stretch[i].start.ns) / 1e9;
	return s;
}

static double units(const struct bench *b)
{
	return (double)(b->total.deliveries ? b->total.deliveries : b->total.done);
}

struct usage {
	double cpu_ns, user_ns, system_ns, switches, switches_forced;
	double busy_ns, time_ns; /* CPU and time without settling */
};

/* What the server used in all stretches with the load, or without. */
static struct usage usage(const struct bench *b, bool loaded)
{
	struct usage u = { 0 };
	for (unsigned i = 0; i < b->stretch_n; i++) {
		const struct stretch *s = &b->stretch[i];
		if (s->loaded != loaded)
			continue;
		u.cpu_ns += (double)(s->settled.cpu_ns - s->from.cpu_ns);
		u.user_ns += (double)(s->settled.user_ns - s->from.user_ns);
		u.system_ns += (double)(s->settled.system_ns - s->from.system_ns);
		u.switches += (double)(s->settled.switches - s->from.switches);
		u.switches_forced += (double)(s->settled.switches_forced - s->from.switches_forced);
		u.busy_ns += (double)(s->to.cpu_ns - s->from.cpu_ns);
		u.time_ns += (double)(s->to.at.ns - s->from.at.ns);
	}
	return u;
}

struct server_figures {
	double cpu_ns, user_ns, system_ns; /* a message or delivery, less what went on without the load */
	double switches, switches_forced;  /* a message or delivery */
	double cores, cores_idle;          /* busy, on average; without the load */
	double connection_bytes;           /* resident memory a login added */
	const struct meter *first, *last;
};

static struct server_figures server_figures(const struct bench *b)
{
	struct usage with = usage(b, true), without = usage(b, false);
	double n = units(b);
	double grown = (double)(b->at_ready.resident_bytes - b->at_first.resident_bytes);
	return (struct server_figures){
		.cpu_ns = per(with.cpu_ns - without.cpu_ns, n),
		.user_ns = per(with.user_ns - without.user_ns, n),
		.system_ns = per(with.system_ns - without.system_ns, n),
		.switches = per(with.switches, n),
		.switches_forced = per(with.switches_forced, n),
		.cores = per(with.busy_ns, with.time_ns),
		.cores_idle = per(without.busy_ns, without.time_ns),
		.connection_bytes = per(grown, (double)b->crowd.n),
		.first = &b->stretch[0].from,
		.last = &b->stretch[b->stretch_n - 1].settled,
	};
}

/* CPU of this process, with the load. */
static double own_ns(const struct bench *b)
{
	double ns = 0;
	for (unsigned i = 0; i < b->stretch_n; i++)
		if (b->stretch[i].loaded)
			ns += (double)(b->stretch[i].own_to_ns - b->stretch[i].own_from_ns);
	return ns;
}

/* --- for people --- */

static const char *duration(int64_t ns, char out[DURATION_CHARS])
{
	if (ns < 1000000)
		snprintf(out, DURATION_CHARS, "%.1f us", (double)ns / 1e3);
	else if (ns < 10 * NS_PER_S)
		snprintf(out, DURATION_CHARS, "%.2f ms", (double)ns / 1e6);
	else
		snprintf(out, DURATION_CHARS, "%.1f s", (double)ns / 1e9);
	return out;
}

/* A row's name for people. */
static void name_text(const char *name, FILE *to)
{
	size_t n = 0;
	for (; name[n]; n++)
		fputc(name[n] == '_' ? ' ' : name[n], to);
	fprintf(to, "%*s", n < NAME_CHARS ? (int)(NAME_CHARS - n) : 0, "");
}

static void latencies_text(const struct bench *b, FILE *to)
{
	char text[DURATION_CHARS];
	fprintf(to, "\n%-*s", NAME_CHARS, "latency");
	for (size_t q = 0; q < QUANTILES; q++)
		fprintf(to, " %11s", quantiles[q].name);
	fprintf(to, " %11s\n", "max");
	for (size_t i = 0; b->args->scenario->latency[i]; i++) {
		const struct histogram *h = &b->total.latency[i];
		if (h->count == 0)
			continue;
		name_text(b->args->scenario->latency[i], to);
		for (size_t q = 0; q < QUANTILES; q++)
			fprintf(to, " %11s",
				duration(histogram_quantile(h, quantiles[q].in_10000), text));
		fprintf(to, " %11s\n", duration(h->max_ns, text));
	}
}

static void server_text(const struct bench *b, FILE *to)
{
	const double mib = 1 << 20;
	if (!b->metered) {
		fprintf(to, "\nserver       not measured (--pid or --data tells which process it is)\n");
		return;
	}
	struct server_figures f = server_figures(b);
	const char *unit = b->args->scenario->unit;
	fprintf(to, "\nserver       %.2f us CPU a %s (user %.1f, system %.1f), %.0f %% of a core", f.cpu_ns / 1e3,
		unit, f.user_ns / 1e3, f.system_ns / 1e3, f.cores * 100);
	if (b->args->scenario->alternates)
		fprintf(to, " (%.0f %% without the load)", f.cores_idle * 100);
	fprintf(to, "\n             %.3f waits and %.3f preemptions a %s\n", f.switches, f.switches_forced, unit);
	fprintf(to, "memory       %.1f MiB before the logins, %.1f KiB more for each connection;\n",
		(double)b->at_first.resident_bytes / mib, f.connection_bytes / 1024);
	fprintf(to, "             %.1f MiB before measuring, %.1f after, %.1f at most\n",
		(double)f.first->resident_bytes / mib, (double)f.last->resident_bytes / mib,
		(double)f.last->resident_bytes_max / mib);
}

static void amounts_text(const struct bench *b, FILE *to)
{
	const struct tally *t = &b->total;
	double s = elapsed_s(b);
	fprintf(to, "%" PRIu64 " messages in %.3f s: %.*f messages/s, ", t->done, s, t->deliveries ? 1 : 0,
		per((double)t->done, s));
	if (t->deliveries)
		fprintf(to, "%.0f deliveries/s, ", per((double)t->deliveries, s));
	fprintf(to, "%.0f packets/s%s\n", per((double)t->packets, s), b->interrupted ? " (interrupted)" : "");
}

void report_text(const struct bench *b, FILE *to)
{
	const struct tally *t = &b->total;
	fprintf(to, "%s: ", b->args->scenario->name);
	b->args->scenario->settings_text(b->args, to);
	amounts_text(b, to);
	latencies_text(b, to);
	server_text(b, to);
	double own = own_ns(b);
	fprintf(to, "client       %.2f us CPU a %s, %.0f %% of a core in %u thread(s)\n\n",
		per(own, units(b)) / 1e3, b->args->scenario->unit, per(own, elapsed_s(b) * 1e9) * 100,
		b->driver_n);
	for (int i = 0; i < TROUBLE_COUNT; i++)
		fprintf(to, "%s%" PRIu64 " %s", i ? ", " : "", t->trouble[i], troubles[i].text);
	fprintf(to, "\n");
	if (t->refusal[0])
		fprintf(to, "first refusal: %s\n", t->refusal);
}

/* --- for programs --- */

static json_t *settings_json(const struct bench *b)
{
	const struct arguments *a = b->args;
	json_t *o = json_pack("{s:I, s:s, s:I, s:I, s:I, s:f}", "users", (json_int_t)b->crowd.n, "flags",
			      a->flags, "size", (json_int_t)a->size, "window", (json_int_t)a->window,
			      "threads", (json_int_t)b->driver_n, "warm_up_s", a->warm_up);
	json_object_set_new(o, "rate", a->rate > 0 ? json_real(a->rate) : json_null());
	if (a->scenario->settings_json)
		a->scenario->settings_json(a, o);
	return o;
}

static json_t *latencies_json(const struct bench *b)
{
	json_t *all = json_object();
	for (size_t i = 0; b->args->scenario->latency[i]; i++) {
		const struct histogram *h = &b->total.latency[i];
		if (h->count == 0)
			continue;
		json_t *one = json_pack("{s:I, s:I}", "count", (json_int_t)h->count, "mean",
					(json_int_t)histogram_mean(h));
		for (size_t q = 0; q < QUANTILES; q++)
			json_object_set_new(one, quantiles[q].name,
					    json_integer(histogram_quantile(h, quantiles[q].in_10000)));
		json_object_set_new(one, "max", json_integer(h->max_ns));
		json_object_set_new(all, b->args->scenario->latency[i], one);
	}
	return all;
}

/* A figure whose name ends in the unit it is for. */
static void put_per(json_t *o, const char *name, const char *unit, double v)
{
	char key[64];
	snprintf(key, sizeof(key), "%s_per_%s", name, unit);
	json_object_set_new(o, key, json_real(v));
}

static json_t *server_json(const struct bench *b)
{
	if (!b->metered)
		return json_null();
	struct server_figures f = server_figures(b);
	const char *unit = b->args->scenario->unit;
	json_t *o = json_object();
	put_per(o, "cpu_ns", unit, f.cpu_ns);
	put_per(o, "user_ns", unit, f.user_ns);
	put_per(o, "system_ns", unit, f.system_ns);
	json_object_set_new(o, "cores_busy", json_real(f.cores));
	if (b->args->scenario->alternates)
		json_object_set_new(o, "cores_busy_without", json_real(f.cores_idle));
	put_per(o, "waits", unit, f.switches);
	put_per(o, "preemptions", unit, f.switches_forced);
	json_object_set_new(o, "resident_bytes",
			    json_pack("{s:I, s:I, s:I, s:I, s:f}", "before_logins",
				      (json_int_t)b->at_first.resident_bytes, "before",
				      (json_int_t)f.first->resident_bytes, "after",
				      (json_int_t)f.last->resident_bytes, "max",
				      (json_int_t)f.last->resident_bytes_max, "per_connection",
				      f.connection_bytes));
	return o;
}

static json_t *client_json(const struct bench *b)
{
	double own = own_ns(b);
	json_t *o = json_object();
	put_per(o, "cpu_ns", b->args->scenario->unit, per(own, units(b)));
	json_object_set_new(o, "cores_busy", json_real(per(own, elapsed_s(b) * 1e9)));
	return o;
}

static json_t *troubles_json(const struct tally *t)
{
	json_t *o = json_object();
	for (int i = 0; i < TROUBLE_COUNT; i++)
		json_object_set_new(o, troubles[i].json, json_integer((json_int_t)t->trouble[i]));
	if (t->refusal[0])
		json_object_set_new(o, "first_refusal", json_string(t->refusal));
	return o;
}

json_t *report_json(const struct bench *b)
{
	const struct tally *t = &b->total;
	double s = elapsed_s(b);
	json_t *o = json_pack(
		"{s:s, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:b, s:s*}", "version",
		LEMP_VERSION, "scenario", b->args->scenario->name, "settings", settings_json(b), "messages",
		(json_int_t)t->done, "packets", (json_int_t)t->packets, "seconds", s, "messages_per_second",
		per((double)t->done, s), "packets_per_second", per((double)t->packets, s), "latency_ns",
		latencies_json(b), "server", server_json(b), "client", client_json(b), "trouble",
		troubles_json(t), "interrupted", b->interrupted, "broken", b->broken[0] ? b->broken : NULL);
	if (o && b->args->scenario->alternates) {
		json_object_set_new(o, "deliveries", json_integer((json_int_t)t->deliveries));
		json_object_set_new(o, "deliveries_per_second", json_real(per((double)t->deliveries, s)));
		json_object_set_new(o, "pair_messages", json_integer((json_int_t)b->apart_done));
	}
	return o;
}
