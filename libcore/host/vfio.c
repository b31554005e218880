/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>

#include "bounded.h"
#include "iommu.h"

#define DEVICES "sys/bus/pci/devices"
#define PROBE	"sys/bus/pci/drivers_probe"
#define UNDO_MS 2000 /* for putting things back after a failure */
#define STEP_MS 10

/* Which driver has it ("" = none), and is that one of VFIO?  1; 0: the device is gone; -1: that cannot be seen. */
static int read_driver(const struct vm_sys *s, const char *name, char driver[64], bool *ret_vfio, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_err why = VM_ERR_INIT;
	VM_AUTO_FD int dir = -1;

	driver[0] = 0;
	*ret_vfio = false;
	if (vm_pci_open(s, name, &dir, &why) < 0) {
		if (why.kind == VM_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	if (!vm_sys_link(dir, "driver", driver, 64, &unread))
		driver[0] = 0;
	*ret_vfio = driver[0] != 0 && (vm_vfio_driver(driver) || vm_sys_exists(dir, "vfio-dev", &unread));
	return vm_unread_fail(&unread, err) < 0 ? -1 : 1;
}

int vm_vfio_look(const struct vm_sys *s, const char *name, struct vm_deadline deadline,
		 struct vm_vfio_was *ret, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(DEVICES "/%s/driver_override", name);
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_vfio_was was = { 0 };
	VM_AUTO_FD int dir = -1;
	bool ignored;

	if (vm_pci_open(s, name, &dir, err) < 0)
		return -1;
	if (!vm_sys_exists(dir, "driver_override", &unread))
		return vm_unread_fail(&unread, err) < 0 ? -1 : vm_err_set(err, VM_UNSUPPORTED, "this kernel has no driver_override for %s", name);
	if (vm_sys_read(s, path, was.override, sizeof(was.override), deadline, err) < 0)
		return vm_err_wrap(err, "%s", name);
	if (strcmp(was.override, "(null)") == 0)
		was.override[0] = 0;
	if (read_driver(s, name, was.driver, &ignored, err) < 0)
		return -1;
	*ret = was;
	return 0;
}

bool vm_vfio_is_loaded(const struct vm_sys *s, const char *driver)
{
	VM_AUTO_FREE char *place = vm_xasprintf("sys/bus/pci/drivers/%s", driver);
	VM_AUTO_FD int dir = vm_sys_dir(s, place);

	return dir >= 0;
}

static int load(const struct vm_sys *s, const char *driver, struct vm_deadline deadline, struct vm_err *err)
{
	const char *const argv[] = { "modprobe", driver, NULL };
	VM_AUTO_FREE char *said = NULL;
	int status = 0;

	if (vm_vfio_is_loaded(s, driver))
		return 0;
	vm_log_step("load the driver %s", driver);
	/* modprobe acts on this machine */
	if (!s->recorded && vm_run(argv, NULL, 4096, deadline, NULL, &said, &status, err) < 0) {
		bool absent = err->kind == VM_NOT_FOUND;

		vm_err_wrap(err, "load the driver %s", driver);
		if (!absent)
			return -1;
		err->kind = VM_UNSUPPORTED;
		return vm_err_hint(err, "install modprobe (kmod), or load it in another way");
	}
	if (vm_vfio_is_loaded(s, driver))
		return 0;
	if (said != NULL)
		said[strcspn(said, "\n")] = 0;
	vm_err_set(err, VM_UNSUPPORTED, "cannot load the driver %s%s%s", driver, said != NULL && *said != 0 ? ": " : "",
		   said != NULL ? said : "");
	return vm_err_hint(err, "modprobe %s, or dmesg, may say more", driver);
}

static int check_host(const struct vm_sys *s, struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_vfio_host host;

	vm_vfio_host_read(s, &host, &unread);
	return vm_unread_fail(&unread, err) < 0 ? -1 : vm_vfio_host_check(s, &host, err);
}

int vm_vfio_load(const struct vm_sys *s, const char *driver, struct vm_deadline deadline, struct vm_err *err)
{
	if (check_host(s, err) < 0 || load(s, VM_VFIO_PCI, deadline, err) < 0 ||
	    (driver != NULL && load(s, driver, deadline, err) < 0))
		return -1;
	return check_host(s, err);
}

/* Paths and texts of the writes that change a device's driver. */
struct change {
	char *override, *unbind, *text, *name;
	struct vm_sys_write w[3];
	size_t n;
};

static void change_free(struct change *c)
{
	vm_cleanup_free(&c->override);
	vm_cleanup_free(&c->unbind);
	vm_cleanup_free(&c->text);
	vm_cleanup_free(&c->name);
}

/* override "": none; unbind: it has a driver. */
static void change_make(struct change *c, const char *name, const char *override, bool unbind)
{
	*c = (struct change){
		.override = vm_xasprintf(DEVICES "/%s/driver_override", name),
		.unbind = vm_xasprintf(DEVICES "/%s/driver/unbind", name),
		.text = vm_xasprintf("%s\n", override),
		.name = vm_xstrdup(name),
	};
	c->w[c->n++] = (struct vm_sys_write){ c->override, c->text };
	if (unbind)
		c->w[c->n++] = (struct vm_sys_write){ c->unbind, c->name };
	c->w[c->n++] = (struct vm_sys_write){ PROBE, c->name };
}

static int change_run(const struct vm_sys *s, const struct change *c, struct vm_deadline deadline,
		      struct vm_err *err)
{
	size_t at, from = 0;

	for (;;) {
		if (vm_sys_write(s, c->w + from, c->n - from, deadline, &at, err) == 0)
			return 0;
		/* Somebody else may have taken the driver away just now; what counts is what comes of it. */
		if (c->w[from + at].path != c->unbind ||
		    (err->sys != ENODEV && err->sys != ENOENT))
			break;
		from += at + 1;
	}
	/* A probe that found nothing to do, or whose driver refused, shows in the link. */
	if (c->w[from + at].path != c->override && c->w[from + at].path != c->unbind &&
	    err->kind != VM_TIMED_OUT)
		return 0;
	return -1;
}

/* What may not be written not even root may change. */
static int denied(const struct vm_err *why, struct vm_err *err)
{
	*err = *why;
	if (why->sys == EROFS)
		return vm_err_hint(err, "sysfs is mounted read-only, as in a container: bind it on the host, or "
					"mount -o remount,rw /sys");
	return vm_err_hint(err, "sysfs can be written by root, unless a container or a security module forbids it");
}

/* The best that can be done after a failure. */
static void put_back(const struct vm_sys *s, const char *name, const struct vm_vfio_was *was)
{
	VM_AUTO(change_free) struct change c = { 0 };
	struct vm_err ignored = VM_ERR_INIT;
	char driver[64];
	bool vfio;
	int there = read_driver(s, name, driver, &vfio, &ignored);

	if (there == 0)
		return;
	/* of a driver that cannot be seen it is taken, whichever that is */
	change_make(&c, name, was->override, there < 0 || (strcmp(driver, was->driver) != 0 && driver[0] != 0));
	vm_wait_shield();
	change_run(s, &c, vm_deadline_in(UNDO_MS), &ignored);
	vm_wait_unshield();
}

int vm_vfio_bind(const struct vm_sys *s, const char *name, const char *driver, const struct vm_vfio_was *was,
		 struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(change_free) struct change c = { 0 };
	struct vm_err why = VM_ERR_INIT; /* of the probe: what came of it counts, unless it could not be asked for */
	char now[64];
	bool vfio;
	int there;

	if (read_driver(s, name, now, &vfio, err) < 0)
		return -1;
	if (vfio)
		return 0;
	change_make(&c, name, driver, now[0] != 0);
	if (change_run(s, &c, deadline, err) < 0) {
		if (err->kind == VM_TIMED_OUT) {
			vm_err_set(err, VM_TIMED_OUT, "%s: its driver %s does not let go of it", name,
				   was->driver[0] != 0 ? was->driver : "?");
			vm_err_hint(err, "end what uses it (vm-hostdev-info %s); once the driver lets go, "
					 "vm-hostdev-unbind %s gives it back to the host",
				    name, name);
		}
		put_back(s, name, was);
		why = *err;
		return why.kind == VM_DENIED ? denied(&why, err) : -1;
	}
	why = *err;
	*err = VM_ERR_INIT;
	there = read_driver(s, name, now, &vfio, err);
	if (vfio && there > 0)
		return 0;
	put_back(s, name, was);
	if (there < 0)
		return -1;
	if (why.kind == VM_DENIED)
		return denied(&why, err);
	if (now[0] == 0)
		vm_err_set(err, VM_SYSTEM, "%s: %s did not take it", name, driver);
	else
		vm_err_set(err, VM_SYSTEM, "%s: the driver %s took it instead of %s", name, now, driver);
	return vm_err_hint(err, "the kernel's messages say why: dmesg | grep %s", name);
}

static int unbind(const struct vm_sys *s, const char *name, const struct vm_vfio_was *was, struct vm_deadline deadline,
		  char *ret_driver, struct vm_err *err)
{
	VM_AUTO(change_free) struct change c = { 0 };
	struct vm_err why = VM_ERR_INIT;
	char now[64];
	bool vfio;
	int there = read_driver(s, name, now, &vfio, err);

	ret_driver[0] = 0;
	if (there <= 0)
		return there;
	change_make(&c, name, was->override, vfio);
	if (change_run(s, &c, deadline, err) < 0) {
		there = read_driver(s, name, now, &vfio, &why);
		if (there == 0) /* it went meanwhile */
			*err = VM_ERR_INIT;
		if (there <= 0)
			return there;
		if (err->kind == VM_TIMED_OUT) {
			vm_err_set(err, VM_TIMED_OUT, "%s: %s does not let go of it: somebody has it open",
				   name, now);
			vm_err_hint(err, "vm-hostdev-info %s shows who", name);
		}
		return -1;
	}
	return read_driver(s, name, ret_driver, &vfio, err) < 0 ? -1 : 0;
}

int vm_vfio_unbind(const struct vm_sys *s, const char *name, const struct vm_vfio_was *was,
		   struct vm_deadline deadline, char *ret_driver, struct vm_err *err)
{
	if (unbind(s, name, was, deadline, ret_driver, err) == 0)
		return 0;
	if (err->kind == VM_TIMED_OUT)
		return -1;
	/* The host is to have it back: what failed once for want of a descriptor, say, is tried again from where it is. */
	vm_log_step("%s: %s: once more", name, err->msg);
	*err = VM_ERR_INIT;
	return unbind(s, name, was, deadline, ret_driver, err);
}

static bool has_node(const struct vm_sys *s, const char *name, int group)
{
	VM_AUTO_FD int dir = vm_sys_dir(s, &VM_VFIO_NODES[1]);
	VM_AUTO_FD int own = vm_sys_dir(s, &VM_VFIO_DEVICES[1]);
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_pci p;
	char number[16];

	snprintf(number, sizeof(number), "%d", group);
	if (dir >= 0 && vm_sys_exists(dir, number, NULL))
		return true;
	return own >= 0 && vm_pci_read(s, name, &p, &ignored) == 0 && p.vfio_cdev[0] != 0 && vm_sys_exists(own, p.vfio_cdev, NULL);
}

int vm_vfio_wait_node(const struct vm_sys *s, const char *name, int group, struct vm_deadline deadline, struct vm_err *err)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

	for (;;) {
		if (has_node(s, name, group))
			return 0;
		if (vm_deadline_passed(deadline) || vm_wait_interrupted())
			return vm_err_set(err, VM_TIMED_OUT, "/dev/vfio/%d does not appear", group);
		/* devtmpfs has no events for this; it takes microseconds */
		nanosleep(&step, NULL);
	}
}

int vm_pci_set_d3cold(const struct vm_sys *s, const char *name, bool allowed, struct vm_deadline deadline,
		      struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(DEVICES "/%s/d3cold_allowed", name);
	const struct vm_sys_write w = { path, allowed ? "1" : "0" };
	size_t at;

	return vm_sys_write(s, &w, 1, deadline, &at, err);
}

int vm_pci_control(const struct vm_sys *s, const char *name, char ret[8], struct vm_err *err)
{
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = -1;

	ret[0] = 0;
	if (vm_pci_open(s, name, &dir, err) < 0)
		return -1;
	if (!vm_sys_text(dir, "power/control", ret, 8, &unread))
		ret[0] = 0;
	return vm_unread_fail(&unread, err);
}

int vm_pci_set_control(const struct vm_sys *s, const char *name, const char *word, struct vm_deadline deadline,
		       struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(DEVICES "/%s/power/control", name);
	const struct vm_sys_write w = { path, word };
	size_t at;

	return vm_sys_write(s, &w, 1, deadline, &at, err);
}

int vm_pci_do_reset(const struct vm_sys *s, const char *name, struct vm_deadline deadline,
		    struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xasprintf(DEVICES "/%s/reset", name);
	const struct vm_sys_write w = { path, "1" };
	struct vm_unread unread = VM_UNREAD_NONE;
	VM_AUTO_FD int dir = -1;
	size_t at;

	if (vm_pci_open(s, name, &dir, err) < 0)
		return -1;
	if (!vm_sys_exists(dir, "reset", &unread)) {
		if (vm_unread_fail(&unread, err) < 0)
			return -1;
		vm_err_set(err, VM_UNSUPPORTED, "%s: the kernel has no way to reset it", name);
		return vm_err_hint(err, "it has neither FLR nor a power state that resets it, and its bus "
					"has other devices");
	}
	if (vm_sys_write(s, &w, 1, deadline, &at, err) < 0) {
		if (err->kind == VM_TIMED_OUT)
			return vm_err_set(err, VM_TIMED_OUT, "%s: its reset does not end", name);
		return vm_err_wrap(err, "reset %s", name);
	}
	return 0;
}
