/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Counters of the host's network interfaces.  Needs libc alone.  Source: proc_net_dev(5). */
#include <stdbool.h>
#include <stdint.h>

struct vm_netdev {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped; /* as the host sees it */
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};
/* False: there is no such interface. */
bool vm_netdev_read(const char *name, struct vm_netdev *ret);
/* The same from the text of that file. */
bool vm_netdev_parse(const char *text, const char *name, struct vm_netdev *ret);
