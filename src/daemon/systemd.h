/* What systemd hands over and wants to hear (sd_listen_fds(3), sd_notify(3)), spoken by hand. */
#pragma once

/* How many listening sockets were passed to this process, and the descriptor of the first; the
 * others follow it. Takes the variables out of the environment. */
unsigned systemd_sockets(int *first_out);
/* Sends e.g. "READY=1" if somebody listens. */
void systemd_notify(const char *state);
