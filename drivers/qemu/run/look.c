/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: qapi/{machine,misc,block-core,job,ui}.json, QEMU 7.2. */
#include "look.h"

#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/qmp/monitor.h"

/* An id like "/machine/peripheral/virtio-disk0/virtio-backend" or "virtio-disk0". Owned. */
static char *alias_of(const char *qdev)
{
	static const char prefix[] = "/machine/peripheral/";
	size_t len;

	if (!qdev || !*qdev)
		return NULL;
	if (strncmp(qdev, prefix, sizeof(prefix) - 1) == 0)
		qdev += sizeof(prefix) - 1;
	len = strcspn(qdev, "/");
	return vm_xstrndup(qdev, len);
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static uint64_t number(const json_t *object, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(object, key));

	return v > 0 ? (uint64_t)v : 0;
}

/* How many there are of a list that QEMU sent; more than anybody has is refused. */
static int list_size(const json_t *list, const char *command, size_t *ret, struct vm_err *err)
{
	if (!json_is_array(list) || json_array_size(list) > VM_LOOK_MAX)
		return vm_err_set(err, VM_HYPERVISOR, "%s: QEMU sent no list of at most %u", command,
				  VM_LOOK_MAX);
	*ret = json_array_size(list);
	return 0;
}

static int take_threads(const json_t *list, const char *command, const char *id, const char *tid,
			struct vm_look_thread **ret, size_t *ret_n, struct vm_err *err)
{
	size_t n = 0, i;

	if (list_size(list, command, &n, err) < 0)
		return -1;
	*ret = vm_xcalloc(n + 1, sizeof(**ret));
	*ret_n = n;
	for (i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);

		(*ret)[i].name = vm_xstrdup(text(item, id));
		(*ret)[i].number = number(item, id);
		(*ret)[i].tid = (pid_t)number(item, tid);
	}
	return 0;
}

static int take_vcpus(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	return take_threads(reply, "query-cpus-fast", "cpu-index", "thread-id", &l->vcpus, &l->n_vcpus,
			    err);
}

static int take_iothreads(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	return take_threads(reply, "query-iothreads", "id", "thread-id", &l->iothreads,
			    &l->n_iothreads, err);
}

static int take_balloon(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	(void)err;
	l->has_balloon = json_is_object(reply);
	l->balloon_bytes = number(reply, "actual");
	return 0;
}

static int take_blocks(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	size_t n = 0, i;

	if (list_size(reply, "query-block", &n, err) < 0)
		return -1;
	l->blocks = vm_xcalloc(n + 1, sizeof(*l->blocks));
	l->n_blocks = n;
	for (i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i);
		const json_t *image =
			json_object_get(json_object_get(item, "inserted"), "image");
		const char *status = text(item, "io-status");
		struct vm_look_block *b = &l->blocks[i];

		b->alias = alias_of(text(item, "qdev"));
		if (status)
			b->error = vm_xstrdup(strcmp(status, "ok") == 0 ? "none" : status);
		b->has_size = json_is_object(image);
		b->capacity = number(image, "virtual-size");
		b->allocation = number(image, "actual-size");
		b->tray_known = json_is_boolean(json_object_get(item, "tray_open"));
		b->tray_open = json_is_true(json_object_get(item, "tray_open"));
	}
	return 0;
}

static int take_jobs(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	size_t n = 0, i;

	if (list_size(reply, "query-jobs", &n, err) < 0)
		return -1;
	l->jobs = vm_xcalloc(n + 1, sizeof(*l->jobs));
	l->n_jobs = n;
	for (i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i);

		l->jobs[i].type = vm_xstrdup(text(item, "type"));
		l->jobs[i].state = vm_xstrdup(text(item, "status"));
		l->jobs[i].target = vm_xstrdup(text(item, "id"));
		l->jobs[i].done = number(item, "current-progress");
		l->jobs[i].total = number(item, "total-progress");
	}
	return 0;
}

static int take_vnc(const json_t *reply, struct vm_look *l, struct vm_err *err)
{
	const char *service = text(reply, "service");

	(void)err;
	if (!json_is_true(json_object_get(reply, "enabled")))
		return 0;
	l->vnc_host = vm_xstrdup(text(reply, "host"));
	if (service && strspn(service, "0123456789") == strlen(service))
		l->vnc_port = strtoull(service, NULL, 10);
	return 0;
}

/* What is asked with which command; a refusal of those marked optional is an answer too (no balloon, no VNC). */
static const struct look_row {
	enum vm_look_what what;
	const char *command;
	bool optional;
	int (*take)(const json_t *reply, struct vm_look *l, struct vm_err *err);
} rows[] = {
	{ VM_LOOK_VCPUS, "query-cpus-fast", false, take_vcpus },
	{ VM_LOOK_IOTHREADS, "query-iothreads", false, take_iothreads },
	{ VM_LOOK_MEMORY, "query-balloon", true, take_balloon },
	{ VM_LOOK_BLOCKS, "query-block", false, take_blocks },
	{ VM_LOOK_JOBS, "query-jobs", false, take_jobs },
	{ VM_LOOK_GRAPHICS, "query-vnc", true, take_vnc },
};

static int ask(struct vm_qmp *q, unsigned what, struct vm_deadline deadline, struct vm_look *l,
	       struct vm_err *err)
{
	uint64_t ids[VM_COUNT(rows)] = { 0 };
	size_t i;

	for (i = 0; i < VM_COUNT(rows); i++)
		if (what & rows[i].what && vm_qmp_send(q, &ids[i], err, rows[i].command, NULL) < 0)
			return -1;
	for (i = 0; i < VM_COUNT(rows); i++) {
		json_t *reply = NULL;
		int r;

		if (!(what & rows[i].what))
			continue;
		if (vm_qmp_recv(q, ids[i], deadline, &reply, err) < 0) {
			if (rows[i].optional && vm_qmp_refused(q))
				continue;
			return vm_err_wrap(err, "%s", rows[i].command);
		}
		r = rows[i].take(reply, l, err);
		json_decref(reply);
		if (r < 0)
			return -1;
	}
	return 0;
}

int vm_qemu_look_on(struct vm_qmp *q, unsigned what, struct vm_deadline deadline,
		    struct vm_look *ret, struct vm_err *err)
{
	VM_AUTO(vm_look_free) struct vm_look l = VM_LOOK_INIT;

	if (ask(q, what, deadline, &l, err) < 0)
		return -1;
	if (what & VM_LOOK_HOSTDEVS && vm_qemu_look_hostdevs(q, deadline, &l, err) < 0)
		return -1;
	*ret = l;
	l = VM_LOOK_INIT;
	return 0;
}

int vm_qemu_look(struct vm_guest *g, unsigned what, struct vm_deadline deadline, struct vm_look *ret,
		 struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;

	if (vm_qemu_monitor_open(g, deadline, &q, err) < 0)
		return -1;
	if (vm_qemu_look_on(q, what, deadline, ret, err) < 0)
		return vm_qmp_refused(q) ? -1 : vm_qemu_silent(g, err);
	return 0;
}
