/* How many cores the process may use: its affinity, and the quota of its control group (v2 and v1)
 * rounded up. At least 1. */
#pragma once
unsigned cores_usable(void);
