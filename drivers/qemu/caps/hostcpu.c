/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/caps/hostcpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/xml.h>

#include "model/domain.h"
#include "qemu/caps/caps_private.h"
#include "qemu/caps/kvm.h"
#include "qemu/qmp/qmp.h"

#define MODELS_MAX 200u

/* ---- asking QEMU ---- */

struct asking {
	bool kvm;
	json_t *vendors; /* of the models, by name: filled without KVM, used with it */
	struct vm_record *ret;
};
struct answers {
	struct vm_qemu_cpu_model models[MODELS_MAX];
	json_t *owned[MODELS_MAX + 1];
	uint64_t ids[MODELS_MAX];
	size_t n, n_owned;
};

static void free_answers(struct answers *a)
{
	for (size_t i = 0; i < a->n_owned; i++)
		json_decref(a->owned[i]);
	*a = (struct answers){ .n = 0 };
}

/*
 * "static" names a feature once, and nothing but what the guest's CPUID shows.
 * Source: query-cpu-model-expansion of qapi/machine-target.json, QEMU 7.2.
 */
static int send_expansion(struct vm_qmp *q, const char *name, uint64_t *ret_id, struct vm_err *err)
{
	return vm_qmp_send(q, ret_id, err, "query-cpu-model-expansion", "{s:s, s:{s:s}}", "type",
			   "static", "model", "name", name);
}

static const json_t *props_of(const json_t *reply)
{
	return json_object_get(json_object_get(reply, "model"), "props");
}

/*
 * A model whose name has no version: what it stands for is the machine version's, as in libvirt's documents.  Those
 * that no maker ever made (qemu64, kvm64) are near to nothing but an emulated host.
 */
static bool is_candidate(const json_t *definition, bool unversioned)
{
	static const char *const not_real[] = { "max", "host", "base", "qemu32", "qemu64", "kvm32", "kvm64" };
	const char *name = json_string_value(json_object_get(definition, "name"));

	if (name == NULL || json_is_true(json_object_get(definition, "deprecated")))
		return false;
	for (size_t i = 0; i < VM_COUNT(not_real); i++)
		if (strcmp(name, not_real[i]) == 0)
			return false;
	return !unversioned || json_object_get(definition, "alias-of") != NULL;
}

static int ask_models(struct vm_qmp *q, const json_t *definitions, struct vm_deadline deadline,
		      struct answers *a, struct vm_err *err)
{
	const json_t *one;
	bool unversioned = false;
	size_t i;

	json_array_foreach(definitions, i, one)
		unversioned = unversioned || json_object_get(one, "alias-of") != NULL;
	json_array_foreach(definitions, i, one)
	{
		if (!is_candidate(one, unversioned) || a->n == MODELS_MAX)
			continue;
		a->models[a->n].name = json_string_value(json_object_get(one, "name"));
		if (send_expansion(q, a->models[a->n].name, &a->ids[a->n], err) < 0)
			return -1;
		a->n++;
	}
	for (i = 0; i < a->n; i++) {
		struct vm_err why = VM_ERR_INIT;
		json_t *reply = NULL;

		if (vm_qmp_recv(q, a->ids[i], deadline, &reply, &why) == 0) {
			a->owned[a->n_owned++] = reply;
			a->models[i].props = props_of(reply);
		} else if (vm_qmp_refused(q) == NULL) {
			*err = why;
			return -1;
		}
	}
	return 0;
}

/* Under KVM QEMU gives every model the host's vendor, unless it is told another. */
static void put_vendors(const json_t *vendors, const struct answers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		json_t *vendor = json_object_get(vendors, a->models[i].name);

		if (vendor != NULL && a->models[i].props != NULL)
			json_object_set((json_t *)(uintptr_t)a->models[i].props, "vendor", vendor);
	}
}

static void note_vendors(json_t *vendors, const struct answers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		json_t *vendor = json_object_get(a->models[i].props, "vendor");

		if (vendor != NULL)
			json_object_set(vendors, a->models[i].name, vendor);
	}
}

static void drop_json(json_t **j)
{
	json_decref(*j);
}

/* What QEMU makes of the description is compared with the host once more. */
static int amend(struct vm_qmp *q, const json_t *host, struct vm_deadline deadline,
		 struct vm_record *r, struct vm_err *err)
{
	static const char *const lists[] = { VM_HOSTCPU_DISABLE, VM_HOSTCPU_REQUIRE };
	VM_AUTO(drop_json) json_t *props = json_object();
	VM_AUTO(drop_json) json_t *reply = NULL;
	struct vm_err why = VM_ERR_INIT;
	const char *name;

	for (size_t on = 0; on < VM_COUNT(lists); on++)
		for (size_t i = 0; (name = vm_record_nth(r, lists[on], i)) != NULL; i++)
			json_object_set_new(props, name, json_boolean(on));
	if (vm_qmp_call(q, deadline, &reply, &why, "query-cpu-model-expansion",
			"{s:s, s:{s:s, s:O}}", "type", "static", "model", "name",
			vm_record_get(r, VM_HOSTCPU_MODEL), "props", props) == 0) {
		vm_qemu_hostcpu_amend(host, props_of(reply), r);
		return 0;
	}
	if (vm_qmp_refused(q) != NULL)
		return 0;
	*err = why;
	return -1;
}

static int ask(struct vm_qmp *q, struct vm_deadline deadline, void *arg, struct vm_err *err)
{
	const struct asking *asking = arg;
	VM_AUTO(free_answers) struct answers a = { .n = 0 };
	VM_AUTO(drop_json) json_t *host = NULL;
	VM_AUTO(drop_json) json_t *definitions = NULL;
	uint64_t host_id, definitions_id;

	if (send_expansion(q, asking->kvm ? "host" : "max", &host_id, err) < 0 ||
	    vm_qmp_send(q, &definitions_id, err, "query-cpu-definitions", NULL) < 0 ||
	    vm_qmp_recv(q, host_id, deadline, &host, err) < 0 ||
	    vm_qmp_recv(q, definitions_id, deadline, &definitions, err) < 0 ||
	    ask_models(q, definitions, deadline, &a, err) < 0)
		return -1;
	put_vendors(asking->vendors, &a);
	if (vm_qemu_hostcpu_choose(props_of(host), a.models, a.n, asking->kvm, asking->ret, err) < 0)
		return -1;
	return amend(q, props_of(host), deadline, asking->ret, err);
}

static int ask_vendors(struct vm_qmp *q, struct vm_deadline deadline, void *arg, struct vm_err *err)
{
	const struct asking *asking = arg;
	VM_AUTO(free_answers) struct answers a = { .n = 0 };
	VM_AUTO(drop_json) json_t *definitions = NULL;

	if (vm_qmp_call(q, deadline, &definitions, err, "query-cpu-definitions", NULL) < 0 ||
	    ask_models(q, definitions, deadline, &a, err) < 0)
		return -1;
	note_vendors(asking->vendors, &a);
	return 0;
}

static int ask_all(const char *emulator, struct asking *asking, struct vm_deadline deadline,
		   struct vm_err *err)
{
	static const char tcg[] = "none,accel=tcg";
	VM_AUTO(drop_json) json_t *vendors = json_object();
	struct vm_err why = VM_ERR_INIT;

	asking->vendors = vendors;
	if (!asking->kvm)
		return vm_qemu_caps_session(emulator, tcg, deadline, ask, asking, err);
	/* A binary without TCG cannot tell. */
	if (vm_qemu_caps_session(emulator, tcg, deadline, ask_vendors, asking, &why) < 0)
		vm_log_step("the vendors of its models: %s", why.msg);
	return vm_qemu_caps_session(emulator, "none,accel=kvm", deadline, ask, asking, err);
}

/* ---- the cache ---- */

/* What the description depends on: the binary, and under KVM the host's kernel and processor: one boot. */
static int identity(const char *emulator, bool kvm, char *buf, size_t size, struct vm_err *err)
{
	struct vm_procid self;
	size_t n;

	if (vm_qemu_caps_identity(emulator, buf, size) < 0)
		return vm_err_sys(err, "emulator %s", emulator);
	if (!kvm)
		return 0;
	if (vm_procid_self(&self, err) < 0)
		return -1;
	n = strlen(buf);
	snprintf(buf + n, size - n, " %s", self.boot);
	return 0;
}

static void file_name(const char *emulator, bool kvm, char buf[48])
{
	char whole[32];

	vm_qemu_caps_file(emulator, whole);
	snprintf(buf, 48, "%s.cpu-%s", whole, kvm ? "kvm" : "tcg");
}

int vm_qemu_hostcpu(const struct vm_state *s, const char *emulator, bool kvm,
		    struct vm_deadline deadline, struct vm_record *ret, struct vm_err *err)
{
	VM_AUTO_FD int dir = vm_qemu_caps_dir(s, true);
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct asking asking = { .kvm = kvm, .ret = &r };
	struct vm_err ignored = VM_ERR_INIT;
	char now[640], file[48];
	const char *was;

	if (identity(emulator, kvm, now, sizeof(now), err) < 0)
		return -1;
	file_name(emulator, kvm, file);
	if (dir >= 0 && vm_record_read(&r, dir, file, VM_RECORD_HOSTCPU,
				       VM_RECORD_HOSTCPU_VERSION, &ignored) == 0) {
		was = vm_record_get(&r, "identity");
		if (was != NULL && strcmp(was, now) == 0 &&
		    vm_record_get(&r, VM_HOSTCPU_MODEL) != NULL)
			goto out;
	}
	vm_record_free(&r);
	if (kvm && vm_qemu_kvm_check(s, deadline, err) < 0)
		return -1;
	vm_log_step("ask %s what CPU this host can give", emulator);
	if (ask_all(emulator, &asking, deadline, err) < 0)
		return -1;
	vm_record_set(&r, "emulator", emulator);
	vm_record_set(&r, "identity", now);
	/* One that cannot be kept costs the next command 0.3 s, and nothing else. */
	ignored = VM_ERR_INIT;
	if (dir >= 0)
		(void)vm_record_write_volatile(&r, dir, file, VM_RECORD_HOSTCPU,
					       VM_RECORD_HOSTCPU_VERSION, &ignored);
out:
	*ret = r;
	r = VM_RECORD_INIT;
	return 0;
}

/* ---- the document ---- */

static bool says_feature(const struct vm_cpu *cpu, const char *name)
{
	for (uint32_t i = 0; i < cpu->features.n; i++)
		if (strcmp(((const struct vm_cpu_feature *)cpu->features.v[i])->name, name) == 0)
			return true;
	return false;
}

static void add_features(struct vm_xml_edit *e, vm_node n, const struct vm_cpu *cpu,
			 const struct vm_record *host, const char *policy)
{
	const char *name;

	for (size_t i = 0; (name = vm_record_nth(host, policy, i)) != NULL; i++) {
		VM_AUTO_FREE char *xml = NULL;

		if (says_feature(cpu, name))
			continue;
		xml = vm_xasprintf("<feature policy='%s' name='%s'/>", policy, name);
		vm_xml_edit_insert(e, n, VM_NODE_NONE, xml);
	}
}

static void write_out(struct vm_xml_edit *e, const struct vm_xml *doc, vm_node n,
		      const struct vm_cpu *cpu, const struct vm_record *host)
{
	const char *name = vm_record_get(host, VM_HOSTCPU_MODEL);
	const char *vendor = vm_record_get(host, VM_HOSTCPU_VENDOR);
	vm_node model = vm_xml_child(doc, n, "model");

	vm_xml_edit_attr(e, n, "mode", "custom");
	vm_xml_edit_attr(e, n, "match", "exact");
	if (vm_xml_attr(doc, n, "check") == NULL)
		vm_xml_edit_attr(e, n, "check", "partial");
	if (model != VM_NODE_NONE) {
		vm_xml_edit_attr(e, model, "fallback", "forbid");
		vm_xml_edit_content(e, model, name);
	} else {
		VM_AUTO_FREE char *xml = vm_xasprintf("<model fallback='forbid'>%s</model>", name);

		vm_xml_edit_insert(e, n, VM_NODE_FIRST, xml);
	}
	if (vendor != NULL && vm_xml_child(doc, n, "vendor") == VM_NODE_NONE) {
		VM_AUTO_FREE char *xml = vm_xasprintf("<vendor>%s</vendor>", vendor);

		vm_xml_edit_insert(e, n, model != VM_NODE_NONE ? model : VM_NODE_FIRST, xml);
	}
	add_features(e, n, cpu, host, VM_HOSTCPU_REQUIRE);
	add_features(e, n, cpu, host, VM_HOSTCPU_DISABLE);
}

int vm_qemu_update_cpu(const struct vm_state *s, const struct vm_domain *d, const struct vm_xml *doc,
		       struct vm_deadline deadline, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record host = VM_RECORD_INIT;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = NULL;
	VM_AUTO_FREE char *emulator = NULL;
	vm_node n = vm_xml_child(doc, 0, "cpu");

	*ret = NULL;
	if (d->cpu == NULL || d->cpu->mode != VM_CPU_HOST_MODEL || n == VM_NODE_NONE)
		return 0;
	if (vm_qemu_emulator(s, d->emulator, d->os->arch, &emulator, err) < 0 ||
	    vm_qemu_hostcpu(s, emulator, d->virt == VM_VIRT_KVM, deadline, &host, err) < 0)
		return vm_err_wrap(err, "<cpu mode='host-model'>");
	edit = vm_xml_edit_new(doc);
	write_out(edit, doc, n, d->cpu, &host);
	return vm_xml_edit_apply(edit, ret, err);
}
