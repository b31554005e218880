/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest may take of its host, as the kernel and its documents say it. */
#include "tune_show.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/out.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "document.h"
#include "group.h"
#include "model/domain.h"

void vm_tune_view_close(struct vm_tune_view *v)
{
	vm_guest_close(&v->guest);
	vm_cgroup_close(&v->group);
	vm_domain_freep(&v->live);
	vm_domain_freep(&v->config);
	vm_xml_freep(&v->live_doc);
	vm_xml_freep(&v->config_doc);
	vm_tune_list_free(&v->config_list);
	vm_tune_list_free(&v->live_list);
	*v = VM_TUNE_VIEW_INIT;
}

static int load(struct vm_tune_view *v, bool live, struct vm_err *err)
{
	struct vm_xml **doc = live ? &v->live_doc : &v->config_doc;

	if (vm_document_load(v->guest.state, v->guest.name,
			     live ? VM_DOCUMENT_LIVE : VM_DOCUMENT_DEFINITION,
			     vm_deadline_in(1000), NULL, NULL, doc, err) < 0 ||
	    vm_domain_parse(*doc, live, live ? &v->live : &v->config, err) < 0)
		return -1;
	vm_tune_list_of(live ? v->live : v->config, live ? &v->live_list : &v->config_list);
	return 0;
}

int vm_tune_view_open(const struct vm_state *s, const char *ref, bool want_live, bool want_config,
		      struct vm_deadline deadline, struct vm_tune_view *ret, struct vm_err *err)
{
	VM_AUTO(vm_tune_view_close) struct vm_tune_view v = VM_TUNE_VIEW_INIT;

	if (vm_guest_open(s, ref, 0, deadline, &v.guest, err) < 0)
		return -1;
	if (want_live && !v.guest.active)
		return vm_err_set(err, VM_NOT_RUNNING, "is not running");
	if (want_config && !v.guest.defined)
		return vm_err_set(err, VM_NOT_FOUND, "has no definition");
	if (!want_config && v.guest.active &&
	    (load(&v, true, err) < 0 || vm_guest_group_open(&v.guest, &v.group, err) < 0))
		return -1;
	if (!want_live && v.guest.defined && load(&v, false, err) < 0)
		return -1;
	*ret = v;
	v = VM_TUNE_VIEW_INIT;
	return 0;
}

/* ---- the kernel's side ---- */

/* The group that a row is read from: of threads, the first one's. */
static void group_of(const struct vm_tune_view *v, const struct vm_tunable *t, char *buf, size_t size)
{
	VM_AUTO_FREE uint64_t *ids = NULL;

	switch ((enum vm_tunable_where)t->where) {
	case VM_TUNE_IN_MAIN:
		snprintf(buf, size, ".");
		return;
	case VM_TUNE_IN_VCPUS:
		snprintf(buf, size, "qemu/vcpu0");
		return;
	case VM_TUNE_IN_EMULATOR:
		snprintf(buf, size, "qemu/emulator");
		return;
	case VM_TUNE_IN_IOTHREADS:
		if (vm_domain_iothreads(v->live, &ids) > 0)
			snprintf(buf, size, "qemu/iothread%llu", (unsigned long long)ids[0]);
		else
			snprintf(buf, size, "qemu/iothread0");
		return;
	case VM_TUNE_IN_QEMU:
	case VM_TUNE_IN_DOCUMENT:
		break;
	}
	snprintf(buf, size, "qemu");
}

/* Threads without a group of their own have no limit.  Source: sched-bwc.rst. */
static int without_group(const struct vm_tunable *t, struct vm_tune_value *ret)
{
	*ret = (struct vm_tune_value){ .n = t->kind == VM_TUNE_PERIOD ? 100000 : 0,
				       .unlimited = t->kind == VM_TUNE_QUOTA };
	return 0;
}

static int read_live(const struct vm_tune_view *v, const struct vm_tunable *t, const char *device,
		     struct vm_tune_value *ret, struct vm_err *err)
{
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	char group[64];
	dev_t dev = 0;
	int r;

	if (t->where == VM_TUNE_IN_DOCUMENT) {
		const struct vm_tune_setting *s = vm_tune_list_find(&v->live_list, t, NULL);

		if (s == NULL)
			return 1;
		*ret = (struct vm_tune_value){ .text = vm_xstrdup(s->v.text) };
		return 0;
	}
	if (device != NULL && vm_tune_device(device, &dev, err) < 0)
		return -1;
	group_of(v, t, group, sizeof(group));
	if (vm_tune_place_open(&v->group, t, group, dev, &p, err) < 0) {
		if (err->kind == VM_NOT_FOUND &&
		    (t->where == VM_TUNE_IN_VCPUS || t->where == VM_TUNE_IN_EMULATOR ||
		     t->where == VM_TUNE_IN_IOTHREADS))
			return without_group(t, ret);
		return -1;
	}
	r = vm_tune_read(&p, ret, err);
	if (r == 0 && t->kind == VM_TUNE_SHARES && p.v2 && v->convert)
		ret->n = vm_tune_weight_to_shares(ret->n);
	return r;
}

/* ---- rows ---- */

static void print_value(struct vm_out *out, const char *key, const struct vm_tunable *t,
			const struct vm_tune_value *v)
{
	VM_AUTO_FREE char *text = v != NULL ? vm_tune_value_text(t, v) : NULL;

	if (v != NULL && !v->unlimited && v->text == NULL)
		vm_out_u64_as(out, key, v->n, text);
	else
		vm_out_str(out, key, text);
}

/* A limit that a document does not give is none; of other things the kernel's default is not its business. */
static void print_config(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tunable *t,
			 const char *device)
{
	static const struct vm_tune_value none = { .unlimited = true };
	const struct vm_tune_setting *s = vm_tune_list_find(&v->config_list, t, device);

	if (v->config == NULL)
		vm_out_null(out, "config");
	else if (s != NULL)
		print_value(out, "config", t, &s->v);
	else if (t->kind == VM_TUNE_QUOTA || t->kind == VM_TUNE_BYTES || t->kind == VM_TUNE_SWAP ||
		 t->kind == VM_TUNE_RATE)
		print_value(out, "config", t, &none);
	else
		vm_out_null(out, "config");
}

static int print_row(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tunable *t,
		     const char *device, bool must, struct vm_err *err)
{
	VM_AUTO(vm_tune_value_free) struct vm_tune_value live = VM_TUNE_VALUE_INIT;
	VM_AUTO_FREE char *key = device != NULL ? vm_xasprintf("%s:%s", t->key, device)
						: vm_xstrdup(t->key);
	int r = 1;

	if (v->live != NULL) {
		r = read_live(v, t, device, &live, err);
		/* What this host does not have is unknown, unless it was asked for by name. */
		if (r < 0 && (must || (err->kind != VM_UNSUPPORTED && err->kind != VM_NOT_FOUND)))
			return -1;
		if (r < 0)
			*err = VM_ERR_INIT;
	}
	vm_out_row(out);
	vm_out_str(out, "key", key);
	if (r == 0)
		print_value(out, "live", t, &live);
	else
		vm_out_null(out, "live");
	print_config(out, v, t, device);
	vm_out_row_end(out);
	return 0;
}

/* Each device of both documents once. */
static size_t devices_of(const struct vm_tune_view *v, const char ***ret)
{
	const struct vm_tune_list *lists[] = { &v->config_list, &v->live_list };
	const char **names = NULL;
	size_t n = 0;

	for (size_t l = 0; l < VM_COUNT(lists); l++)
		for (size_t i = 0; i < lists[l]->n; i++) {
			const char *name = lists[l]->v[i].device;
			size_t k = 0;

			while (name != NULL && k < n && strcmp(names[k], name) != 0)
				k++;
			if (name == NULL || k < n)
				continue;
			names = vm_xreallocarray(names, n + 1, sizeof(*names));
			names[n++] = name;
		}
	*ret = names;
	return n;
}

static const struct vm_out_column columns[] = {
	{ "key", "KEY" }, { "live", "LIVE" }, { "config", "CONFIG" },
};

int vm_tune_show(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tune_list *only,
		 struct vm_err *err)
{
	VM_AUTO_FREE const char **devices = NULL;
	size_t n = devices_of(v, &devices);
	int r = 0;

	vm_out_array(out, "tunables", columns, VM_COUNT(columns));
	for (size_t i = 0; r == 0 && i < only->n; i++)
		r = print_row(out, v, only->v[i].t, only->v[i].device, true, err);
	for (const struct vm_tunable *t = vm_tunables; r == 0 && only->n == 0 && t->key != NULL; t++) {
		if (!t->per_device)
			r = print_row(out, v, t, NULL, false, err);
		for (size_t k = 0; r == 0 && t->per_device && k < n; k++)
			r = print_row(out, v, t, devices[k], false, err);
	}
	if (r == 0)
		vm_out_array_end(out);
	return r;
}

/* ---- --raw ---- */

static int print_raw(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tunable *t,
		     const char *device, const char *group, struct vm_err *err)
{
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	VM_AUTO_FREE char *file = NULL, *text = NULL;
	VM_AUTO_FREE char *key = device != NULL ? vm_xasprintf("%s:%s", t->key, device)
						: vm_xstrdup(t->key);
	dev_t dev = 0;

	if ((device != NULL && vm_tune_device(device, &dev, err) < 0) ||
	    vm_tune_place_open(&v->group, t, group, dev, &p, err) < 0 ||
	    vm_tune_read_raw(&p, &text, err) < 0) {
		if (err->kind != VM_UNSUPPORTED && err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	file = vm_xasprintf("%s/%s", p.path, p.file->name);
	vm_out_row(out);
	vm_out_str(out, "key", key);
	vm_out_str(out, "file", file);
	vm_out_str(out, "text", text);
	vm_out_row_end(out);
	return 0;
}

static int raw_threads(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tunable *t,
		       struct vm_err *err)
{
	VM_AUTO_FREE uint64_t *ids = NULL;
	uint64_t n = t->where == VM_TUNE_IN_VCPUS ? v->live->vcpus : vm_domain_iothreads(v->live, &ids);
	char group[64];

	for (uint64_t i = 0; i < n; i++) {
		snprintf(group, sizeof(group), "qemu/%s%llu", ids != NULL ? "iothread" : "vcpu",
			 (unsigned long long)(ids != NULL ? ids[i] : i));
		if (print_raw(out, v, t, NULL, group, err) < 0)
			return -1;
	}
	return 0;
}

static int raw_row(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tunable *t,
		   const char *device, struct vm_err *err)
{
	char group[64];

	if (t->where == VM_TUNE_IN_VCPUS || t->where == VM_TUNE_IN_IOTHREADS)
		return raw_threads(out, v, t, err);
	group_of(v, t, group, sizeof(group));
	return print_raw(out, v, t, device, group, err);
}

int vm_tune_show_raw(struct vm_out *out, const struct vm_tune_view *v, const struct vm_tune_list *only,
		     struct vm_err *err)
{
	static const struct vm_out_column raw_columns[] = {
		{ "key", "KEY" }, { "file", "FILE" }, { "text", "TEXT" },
	};
	VM_AUTO_FREE const char **devices = NULL;
	size_t n = devices_of(v, &devices);
	int r = 0;

	vm_out_array(out, "files", raw_columns, VM_COUNT(raw_columns));
	for (size_t i = 0; r == 0 && i < only->n; i++)
		r = raw_row(out, v, only->v[i].t, only->v[i].device, err);
	for (const struct vm_tunable *t = vm_tunables; r == 0 && only->n == 0 && t->key != NULL; t++) {
		if (!t->per_device)
			r = raw_row(out, v, t, NULL, err);
		for (size_t k = 0; r == 0 && t->per_device && k < n; k++)
			r = raw_row(out, v, t, devices[k], err);
	}
	if (r == 0)
		vm_out_array_end(out);
	return r;
}
