/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Virtual functions of network cards: the MAC and VLAN that the card's own driver gives to one, by rtnetlink on the interface of its
 * physical function.  Needs libc alone.  Source: Linux, uapi/linux/if_link.h (IFLA_VFINFO_LIST); ip-link(8), "vf NUM".
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

#include "link.h"

struct vm_sys;

struct vm_vf {
	char pf[VM_LINK_NAME]; /* network interface of the physical function: "enp6s0f0" */
	unsigned index;	       /* which of its functions */
	char name[24];	       /* "0000:06:10.1" */
};
/* VM_BAD_INPUT: it is no virtual function, or not that of a network card. */
int vm_vf_find(const struct vm_sys *s, const char *name, struct vm_vf *ret, struct vm_err *err);

/* What a guest's function is to be set to. */
struct vm_vf_want {
	uint8_t mac[6];
	bool has_vlan; /* else none is asked for, by cards that have the notion */
	uint16_t vlan;
};
/* As it is. */
struct vm_vf_config {
	uint8_t mac[6]; /* the administrator's, all zero: the function has its own choice */
	uint16_t vlan;	/* 0 = none */
	uint8_t qos;
	bool service; /* its tags are those of a provider's bridge (802.1ad), not of 802.1Q */
	bool has_own; /* it has a network interface itself */
	uint8_t own[6];
	/* What is only shown, since nothing here changes it. */
	struct vm_vf_told {
		bool pf_up;		  /* the card's interface is up */
		int trusted, spoof_check; /* -1 = the card's driver does not tell */
		int link;		  /* enum vm_vf_link, -1 likewise */
		uint32_t tx_min, tx_max;  /* Mbit/s, 0 = no such limit */
	} told;
};
/* Its link follows that of the card, is always up (it can reach the other functions then), or down.  Source: uapi/linux/if_link.h,
 * IFLA_VF_LINK_STATE_AUTO ... */
enum vm_vf_link { VM_VF_LINK_AUTO, VM_VF_LINK_ENABLE, VM_VF_LINK_DISABLE, VM_VF_LINKS };
extern const char *const vm_vf_link_words[VM_VF_LINKS]; /* ip-link's: "auto", "enable", "disable" */
/* VM_IN_USE: the card's interface is down, so that the function would have no link. */
int vm_vf_check(const struct vm_sys *s, const struct vm_vf *vf, struct vm_err *err);
int vm_vf_read(const struct vm_sys *s, const struct vm_vf *vf, struct vm_vf_config *ret, struct vm_err *err);
int vm_vf_set(const struct vm_sys *s, const struct vm_vf *vf, const struct vm_vf_want *want, struct vm_err *err);
/*
 * Everything as it was, but for its own interface, which is there only when a driver has it again: vm_vf_restore_own().  A driver that
 * takes no empty MAC is given the one the function had, or 02:00:00:00:00:00.
 */
int vm_vf_restore(const struct vm_sys *s, const struct vm_vf *vf, const struct vm_vf_config *was, struct vm_err *err);
/* The function's own interface gets its MAC again, if it has one. */
int vm_vf_restore_own(const struct vm_sys *s, const char *name, const uint8_t mac[6], struct vm_err *err);

/* "52:54:00:01:02:03" */
#define VM_MAC_TEXT 18
void vm_mac_format(const uint8_t mac[6], char buf[VM_MAC_TEXT]);
bool vm_mac_parse(const char *text, uint8_t ret[6]);
/* What an answer to RTM_GETLINK says of function `index`; false: nothing. */
bool vm_vf_parse(const void *answer, size_t len, unsigned index, struct vm_vf_config *ret, bool *ret_up);
