/* One line on standard error that says how far a run is; only on a terminal. */
#pragma once
#include "base/clock.h"
#include <stdbool.h>

struct progress {
	bool _on, _shown;
	struct mono _last;
};
void progress_init(struct progress *p);
/* `part` of 1 is done; below 0: not known. `text` tells more. Cheap when called too often. */
void progress_show(struct progress *p, const char *what, double part, const char *text);
void progress_clear(struct progress *p);
