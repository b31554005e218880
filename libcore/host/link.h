/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Network interfaces of the host by rtnetlink: one message a change, no library, so that the watcher can clear
 * away what a guest left.  Needs libc alone.  Source: rtnetlink(7), Linux. */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

#define VM_LINK_NAME 16 /* IFNAMSIZ */

struct vm_link_info {
	int index;
	char name[VM_LINK_NAME];
	uint32_t mtu; /* bytes */
	int master;   /* index of the bridge it is a port of; 0 = none */
	bool up, bridge; /* bridge: a Linux bridge */
	bool tap;
	char alias[256]; /* "" = none */
};
/* VM_NOT_FOUND: no such interface. */
int vm_link_get(const char *name, struct vm_link_info *ret, struct vm_err *err);

struct vm_link_change { /* what is 0 or NULL stays */
	const uint8_t *mac; /* 6 bytes */
	uint32_t mtu;
	int master;
	const char *alias;
	bool up;
};
/* All of it in one message. */
int vm_link_change(const char *name, const struct vm_link_change *change, struct vm_err *err);
/* Gone already is success. */
int vm_link_delete(int index, struct vm_err *err);
/* True for 1-15 bytes without '/', white space and ':' that are not "." or "..". */
bool vm_link_name_valid(const char *name);
