#include "report.h"
#include "base/err.h"
#include "scenario.h"
#include <inttypes.h>
#include <jansson.h>

#define DURATION_CHARS 16

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

static double elapsed_s(const struct bench *b)
{
	int64_t ns = b->total.last.ns - b->start.ns;
	return ns > 0 ? (double)ns / 1e9 : 0;
}

static double per(double amount, double of)
{
	return of > 0 ? amount / of : 0;
}

struct server_figures {
	double cpu_ns, user_ns, system_ns; /* a message */
	double cores;                      /* busy, on average */
	double switches, switches_forced;  /* a message */
	double connection_bytes;           /* resident memory a login added */
};

static struct server_figures server_figures(const struct bench *b)
{
	const struct meter *from = &b->at_start, *to = &b->at_end;
	double n = (double)b->total.done;
	double grown = (double)(b->at_ready.resident_bytes - b->at_first.resident_bytes);
	return (struct server_figures){
		.cpu_ns = per((double)(to->cpu_ns - from->cpu_ns), n),
		.user_ns = per((double)(to->user_ns - from->user_ns), n),
		.system_ns = per((double)(to->system_ns - from->system_ns), n),
		.cores = per((double)(to->cpu_ns - from->cpu_ns), (double)(to->at.ns - from->at.ns)),
		.switches = per((double)(to->switches - from->switches), n),
		.switches_forced = per((double)(to->switches_forced - from->switches_forced), n),
		.connection_bytes = per(grown, (double)b->roster.n),
	};
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

static void latencies_text(const struct bench *b, FILE *to)
{
	char text[DURATION_CHARS];
	fprintf(to, "\n%-12s", "latency");
	for (size_t q = 0; q < QUANTILES; q++)
		fprintf(to, " %11s", quantiles[q].name);
	fprintf(to, " %11s\n", "max");
	for (size_t i = 0; b->args->scenario->latency[i]; i++) {
		const struct histogram *h = &b->total.latency[i];
		if (h->count == 0)
			continue;
		fprintf(to, "%-12s", b->args->scenario->latency[i]);
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
	fprintf(to, "\nserver       %.2f us CPU a message (user %.1f, system %.1f), %.0f %% of a core\n",
		f.cpu_ns / 1e3, f.user_ns / 1e3, f.system_ns / 1e3, f.cores * 100);
	fprintf(to, "             %.3f waits and %.3f preemptions a message\n", f.switches, f.switches_forced);
	fprintf(to, "memory       %.1f MiB before the logins, %.1f KiB more for each connection;\n",
		(double)b->at_first.resident_bytes / mib, f.connection_bytes / 1024);
	fprintf(to, "             %.1f MiB before measuring, %.1f after, %.1f at most\n",
		(double)b->at_start.resident_bytes / mib, (double)b->at_end.resident_bytes / mib,
		(double)b->at_end.resident_bytes_max / mib);
}

static void settings_text(const struct bench *b, FILE *to)
{
	const struct arguments *a = b->args;
	fprintf(to, "%s: %zu users, %s messages of %u bytes, ", a->scenario->name, b->roster.n, a->flags,
		a->size);
	if (a->rate > 0)
		fprintf(to, "open loop at %g messages/s\n", a->rate);
	else
		fprintf(to, "closed loop, window %u\n", a->window);
}

void report_text(const struct bench *b, FILE *to)
{
	const struct tally *t = &b->total;
	double s = elapsed_s(b);
	settings_text(b, to);
	fprintf(to, "%" PRIu64 " messages in %.3f s: %.0f messages/s, %.0f packets/s%s\n", t->done, s,
		per((double)t->done, s), per((double)t->packets, s), b->interrupted ? " (interrupted)" : "");
	latencies_text(b, to);
	server_text(b, to);
	double own = (double)(b->own_end_ns - b->own_start_ns);
	fprintf(to, "client       %.2f us CPU a message, %.0f %% of a core in %u thread(s)\n\n",
		per(own, (double)t->done) / 1e3, per(own, s * 1e9) * 100, b->driver_n);
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
	json_t *o = json_pack("{s:I, s:s, s:I, s:I, s:I, s:f}", "users", (json_int_t)b->roster.n, "flags",
			      a->flags, "size", (json_int_t)a->size, "window", (json_int_t)a->window,
			      "threads", (json_int_t)b->driver_n, "warm_up_s", a->warm_up);
	json_object_set_new(o, "rate", a->rate > 0 ? json_real(a->rate) : json_null());
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

static json_t *server_json(const struct bench *b)
{
	if (!b->metered)
		return json_null();
	struct server_figures f = server_figures(b);
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:{s:I, s:I, s:I, s:I, s:f}}",
			 "cpu_ns_per_message", f.cpu_ns, "user_ns_per_message", f.user_ns,
			 "system_ns_per_message", f.system_ns, "cores_busy", f.cores, "waits_per_message",
			 f.switches, "preemptions_per_message", f.switches_forced, "resident_bytes",
			 "before_logins", (json_int_t)b->at_first.resident_bytes, "before",
			 (json_int_t)b->at_start.resident_bytes, "after",
			 (json_int_t)b->at_end.resident_bytes, "max",
			 (json_int_t)b->at_end.resident_bytes_max, "per_connection", f.connection_bytes);
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

int report_json(const struct bench *b, FILE *to)
{
	const struct tally *t = &b->total;
	double s = elapsed_s(b), own = (double)(b->own_end_ns - b->own_start_ns);
	json_t *o = json_pack(
		"{s:s, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:{s:f, s:f}, s:o, s:b, s:s*}", "version",
		LEMP_VERSION, "scenario", b->args->scenario->name, "settings", settings_json(b), "messages",
		(json_int_t)t->done, "packets", (json_int_t)t->packets, "seconds", s, "messages_per_second",
		per((double)t->done, s), "packets_per_second", per((double)t->packets, s), "latency_ns",
		latencies_json(b), "server", server_json(b), "client", "cpu_ns_per_message",
		per(own, (double)t->done), "cores_busy", per(own, s * 1e9), "trouble", troubles_json(t),
		"interrupted", b->interrupted, "broken", b->broken[0] ? b->broken : NULL);
	if (!o)
		return ERR_NOMEM;
	int err = json_dumpf(o, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 ? OK : ERR_IO;
	json_decref(o);
	fputc('\n', to);
	return err;
}
