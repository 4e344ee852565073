/* Creating and deleting users: an administrator's requests (protocol.md section 11). */
#include "base/err.h"
#include "errand.h"
#include "packet/json.h"

static void request(struct buf *out, size_t i, const char *command, const struct account *a, bool token)
{
	buf_printf(out, "{\"rq\":{\"id\":\"%zu\",\"ad\":{\"c\":\"%s\",\"i\":", i, command);
	json_put_string(out, a->name);
	if (token) {
		BUF_LIT(out, ",\"t\":");
		json_put_string(out, a->token);
	}
	BUF_LIT(out, "}}}");
}

static void create(void *ctx, size_t i, struct buf *out)
{
	struct account *account = &((struct crowd *)ctx)->account[i];
	account->created = !account->there;
	request(out, i, account->there ? "up" : "cr", account, true);
}

static bool create_refused(void *ctx, size_t i, struct str code)
{
	struct account *account = &((struct crowd *)ctx)->account[i];
	if (account->there || !str_eq(code, STR("409")))
		return false;
	return account->there = true;
}

static void delete(void *ctx, size_t i, struct buf *out)
{
	struct crowd *r = ctx;
	if (r->account[i].created)
		request(out, i, "del", &r->account[i], false);
}

int crowd_create(struct crowd *r, const struct target *target, const struct account *admin, char *why,
		  size_t why_size)
{
	struct errand e = { .target = target, .user = admin, .what = "making users", .n = r->n,
			    .request = create, .refused = create_refused, .ctx = r };
	return errand_run(&e, "administrator", why, why_size);
}

int crowd_delete(struct crowd *r, const struct target *target, const struct account *admin, char *why,
		  size_t why_size)
{
	struct errand e = { .target = target, .user = admin, .what = "deleting users", .n = r->n,
			    .request = delete, .ctx = r };
	return errand_run(&e, "administrator", why, why_size);
}
