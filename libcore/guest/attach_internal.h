/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What attaching and detaching host devices share. */
#include "attach.h"
#include "model/hostdev.h"

struct vm_guest;
struct vm_interface;
struct vm_planner;
struct vm_runner;

void vm_hostdev_elements_add(struct vm_hostdev_elements *e, char *text);
/* What a device file says; an interface without MAC gets one, the same for the running guest and its definition. */
int vm_hostdev_element_load(const char *path, const struct vm_hostdev_how *how, struct vm_hostdev_elements *e,
			    struct vm_err *err);

/* An element as data. */
struct vm_hostdev_element {
	struct vm_xml *doc;
	struct vm_hostdev *hostdev; /* one of these */
	struct vm_interface *interface;
	struct vm_disk *disk;
	struct vm_hostdev_iter *store;
	const struct vm_hostdev *h; /* the device of the host that it is */
};
#define VM_HOSTDEV_ELEMENT_INIT ((struct vm_hostdev_element){ 0 })
int vm_hostdev_element_parse(const char *element, struct vm_hostdev_element *ret, struct vm_err *err);
void vm_hostdev_element_free(struct vm_hostdev_element *e); /* for VM_AUTO */

struct vm_hostdev_job {
	struct vm_host *host;
	struct vm_guest *g;
	const struct vm_hostdev_request *r;
	const struct vm_planner *planner;
	const struct vm_runner *runner;
	bool live, config;
};
/* Which of the two is changed, and can it be? */
int vm_hostdev_job_choose(struct vm_hostdev_job *j, struct vm_err *err);
int vm_hostdev_job_read(const struct vm_hostdev_job *j, struct vm_xml **ret, struct vm_err *err);
/* As vm_guest_define_open(). */
int vm_hostdev_job_define(const struct vm_hostdev_job *j, const struct vm_xml *doc,
			  int (*before)(void *arg, const char *text, size_t len, struct vm_err *err), void *arg,
			  struct vm_err *err);
