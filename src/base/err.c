#include "base/err.h"
#include <stddef.h>

static const char *const err_texts[] = {
	"no error",
#define ERR(name, text) text,
#include "base/err.def"
#undef ERR
};

const char *err_text(int err)
{
	size_t row = err < 0 ? (size_t) - (long)err : 0;
	if (err > 0 || row >= sizeof(err_texts) / sizeof(err_texts[0]))
		return "unknown error";
	return err_texts[row];
}
