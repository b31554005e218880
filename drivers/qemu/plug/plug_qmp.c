/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's side of host devices that come and go. */
#include "plug.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/json.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"

#define ASK_MS	   10000u
#define ENDS_MS	   2000 /* between its monitor and its locks */
#define DROP_MS	   1000u /* for a block node that its device is about to let go of */
#define DROP_STEP_MS 20
#define PERIPHERAL "/machine/peripheral"
#define BLOCKDEV   "-blockdev"

int vm_plug_there(struct vm_qmp *q, const char *alias, struct vm_deadline deadline, struct vm_err *err)
{
	json_t *reply = NULL, *one;
	int there = 0;
	size_t i;

	if (vm_qmp_call(q, deadline, &reply, err, "qom-list", "{s:s}", "path", PERIPHERAL) < 0)
		return -1;
	json_array_foreach(reply, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));

		there |= name != NULL && strcmp(name, alias) == 0;
	}
	json_decref(reply);
	return there;
}

bool vm_plug_ended(const struct vm_guest *g, const struct vm_err *why)
{
	VM_AUTO_FD int pidfd = -1;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_procid qemu;
	enum vm_alive alive;

	if (why->kind != VM_TIMED_OUT && vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) &&
	    vm_procid_open(&qemu, &pidfd, &ignored) == 0) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		poll(&p, 1, ENDS_MS);
	}
	return vm_guest_alive(g, &alive, &ignored) == 0 && alive != VM_ALIVE_HELD;
}

/* ---- has the guest taken it? ---- */

#define LOOK_MS 200u

/* A device whose registers have places on the guest's bus; one without any needs none. */
static bool is_placed(const json_t *dev)
{
	const json_t *regions = json_object_get(dev, "regions"), *one;
	size_t i;

	json_array_foreach(regions, i, one)
		if (json_integer_value(json_object_get(one, "address")) >= 0)
			return true;
	return json_array_size(regions) == 0;
}

/* Buses within buses; as deep as the JSON that was taken. */
static bool find_placed(const json_t *devices, const char *alias)
{
	const json_t *one;
	size_t i;

	json_array_foreach(devices, i, one)
	{
		const char *id = json_string_value(json_object_get(one, "qdev_id"));
		const json_t *below = json_object_get(json_object_get(one, "pci_bridge"), "devices");

		if (id != NULL && strcmp(id, alias) == 0)
			return is_placed(one);
		if (below != NULL && find_placed(below, alias))
			return true;
	}
	return false;
}

/* 1 = not yet. */
static int look_placed(struct vm_qmp *q, const char *const *aliases, size_t n, struct vm_deadline deadline,
		       struct vm_err *err)
{
	json_t *reply = NULL;
	const json_t *bus;
	size_t placed = 0, k;

	if (vm_qmp_call(q, deadline, &reply, err, "query-pci", NULL) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		json_array_foreach(reply, k, bus)
			placed += find_placed(json_object_get(bus, "devices"), aliases[i]);
	json_decref(reply);
	return placed < n;
}

/* Nothing tells of it: QEMU is asked now and then, by a connection of its own each time. */
int vm_qemu_wait_taken(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_deadline deadline,
		       struct vm_err *err)
{
	for (;;) {
		VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
		struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
		struct vm_deadline ask = vm_deadline_in(ASK_MS);
		int r;

		if (vm_qemu_monitor_open(g, ask, &q, err) < 0)
			return -1;
		r = look_placed(q, aliases, n, ask, err);
		if (r <= 0)
			return r;
		if (vm_deadline_passed(deadline)) {
			vm_err_set(err, VM_PENDING, "the guest has not taken the devices yet");
			return vm_err_hint(err, "they are attached; vm-detach-hostdev takes them back");
		}
		nanosleep(&pause, NULL);
		if (vm_wait_interrupted()) {
			errno = EINTR;
			return vm_err_sys(err, "wait for the guest");
		}
	}
}

/* ---- giving ---- */

static const char *command_of(const char *option)
{
	return strcmp(option, BLOCKDEV) == 0 ? "blockdev-add" : "device_add";
}

bool vm_plug_node_name(const struct vm_argv *a, size_t i, char buf[VM_PLUG_NODE_SIZE])
{
	const char *text = a->v[i + 1];

	return strcmp(a->v[i], BLOCKDEV) == 0 &&
	       vm_json_string(vm_json_find(text, strlen(text), "node-name"), buf, VM_PLUG_NODE_SIZE);
}

/*
 * A device that is no child of its parent any more is given up a little later, once nobody can be looking at its registers, and has
 * its node until then.  Source: qmp_blockdev_del() of QEMU 7.2, its texts; call_rcu_thread(): 50 ms when little is to be given up.
 */
int vm_plug_drop_node(struct vm_qmp *q, const char *node, struct vm_deadline deadline, struct vm_err *err)
{
	static const struct timespec pause = { .tv_nsec = DROP_STEP_MS * 1000000L };
	struct vm_deadline until = vm_deadline_min(deadline, vm_deadline_in(DROP_MS));

	vm_log_step("QMP blockdev-del %s", node);
	for (;;) {
		struct vm_err why = VM_ERR_INIT;

		if (vm_qmp_call(q, deadline, NULL, &why, "blockdev-del", "{s:s}", "node-name", node) == 0)
			return 0;
		if (vm_qmp_refused(q) != NULL && strstr(why.msg, "Failed to find node") != NULL)
			return 0;
		if (vm_qmp_refused(q) == NULL || strstr(why.msg, "in use") == NULL || vm_deadline_passed(until)) {
			*err = why;
			return vm_err_wrap(err, "take block node %s away", node);
		}
		nanosleep(&pause, NULL);
	}
}

int vm_plug_drop_nodes(struct vm_qmp *q, const struct vm_argv *a, struct vm_deadline deadline, struct vm_err *err)
{
	char node[VM_PLUG_NODE_SIZE];

	for (size_t i = a->n; i >= 2; i -= 2)
		if (vm_plug_node_name(a, i - 2, node) && vm_plug_drop_node(q, node, deadline, err) < 0)
			return -1;
	return 0;
}

/* 1 = refused. */
static int give_fd(struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_xasprintf(VM_VHOST_FD_NAME "%s", v->h->dev.alias);
	const struct vm_qmp_named_fd fd = { .name = name, .fd = v->fd };

	if (v->h->type != VM_HOSTDEV_TYPE_SCSI_HOST)
		return 0;
	vm_log_step("QMP getfd %s", name);
	if (p->o->dry_run || vm_qmp_getfd(p->qmp, &fd, 1, p->deadline, err) == 0)
		return 0;
	return vm_qmp_refused(p->qmp) != NULL ? 1 : -1;
}

/* A device_add that failed late has taken it; then there is none of that name. */
static void drop_fd(struct vm_plug *p, const struct vm_plug_device *v)
{
	VM_AUTO_FREE char *name = vm_xasprintf(VM_VHOST_FD_NAME "%s", v->h->dev.alias);
	struct vm_err ignored = VM_ERR_INIT;

	if (v->fd >= 0 &&
	    vm_qmp_call(p->qmp, p->deadline, NULL, &ignored, "closefd", "{s:s}", "fdname", name) < 0)
		vm_log_step("%s", ignored.msg);
}

int vm_plug_tell(struct vm_plug *p, const struct vm_plug_device *v, struct vm_err *err)
{
	int r = give_fd(p, v, err);

	if (r != 0)
		return r;
	for (size_t i = 0; i + 1 < v->argv.n; i += 2) {
		const char *command = command_of(v->argv.v[i]), *text = v->argv.v[i + 1];
		struct vm_err why = VM_ERR_INIT;
		uint64_t id;

		vm_log_step("QMP %s %s", command, text);
		if (p->o->dry_run)
			continue;
		if (vm_qmp_send_text(p->qmp, command, text, &id, err) < 0)
			return -1;
		if (vm_qmp_recv(p->qmp, id, p->deadline, NULL, err) == 0)
			continue;
		if (vm_qmp_refused(p->qmp) == NULL)
			return -1;
		drop_fd(p, v);
		/* what is left of it would hold the device: then it is for whoever asks again */
		return vm_plug_drop_nodes(p->qmp, &v->argv, p->deadline, &why) < 0 ? -1 : 1;
	}
	return 0;
}
