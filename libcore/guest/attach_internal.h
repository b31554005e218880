/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What attaching and detaching host devices share. */
#include "attach.h"

struct vm_guest;
struct vm_planner;

struct vm_hostdev_job {
	struct vm_host *host;
	struct vm_guest *g;
	const struct vm_hostdev_request *r;
	const struct vm_planner *planner;
	bool live, config;
};
/* Which of the two is changed, and can it be? */
int vm_hostdev_job_choose(struct vm_hostdev_job *j, struct vm_err *err);
int vm_hostdev_job_read(const struct vm_hostdev_job *j, struct vm_xml **ret, struct vm_err *err);
/* As vm_guest_define_open(). */
int vm_hostdev_job_define(const struct vm_hostdev_job *j, const struct vm_xml *doc,
			  int (*before)(void *arg, const char *text, size_t len, struct vm_err *err), void *arg,
			  struct vm_err *err);
