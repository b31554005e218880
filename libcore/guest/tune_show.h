/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What vm-cgroup and vm-pin show.  Takes no lock. */
#include <vm/state.h>

#include "tune.h"

struct vm_tune_view {
	struct vm_guest guest;
	struct vm_cgroup group;
	struct vm_xml *live_doc, *config_doc;
	struct vm_domain *live, *config; /* NULL: does not run, or not asked for; no definition, likewise */
	struct vm_tune_list live_list, config_list;
	bool convert; /* --convert-shares */
};
#define VM_TUNE_VIEW_INIT                                                                          \
	((struct vm_tune_view){ .guest = VM_GUEST_INIT, .group = VM_CGROUP_INIT })
/* want_live, want_config: that side only (VM_NOT_RUNNING, VM_NOT_FOUND). */
int vm_tune_view_open(const struct vm_state *s, const char *ref, bool want_live, bool want_config,
		      struct vm_deadline deadline, struct vm_tune_view *ret, struct vm_err *err);
void vm_tune_view_close(struct vm_tune_view *v);
/* Rows KEY LIVE CONFIG; only: these keys, none = all. */
int vm_tune_show(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tune_list *only,
		 struct vm_err *err);
/* Rows KEY FILE TEXT of the files that are there. */
int vm_tune_show_raw(struct vm_out *out, const struct vm_tune_view *v,
		     const struct vm_tune_list *only, struct vm_err *err);
