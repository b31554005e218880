// SPDX-License-Identifier: LGPL-2.1-or-later
#include <vm/define.h>

#include <assert.h>
#include <driver.h>
#include <model/domain.h>
#include <state/libvirt.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>

void vm_defined_free(struct vm_defined *d)
{
	free(d->name);
	d->name = NULL;
}

/* What is there of the guest before. */
struct before {
	struct vm_xml *doc; /* its definition; of a running guest without one, what it runs with */
	struct vm_domain *domain;
	bool defined; /* doc is a definition */
};

static void free_before(struct before *b)
{
	vm_domain_freep(&b->domain);
	vm_xml_freep(&b->doc);
}

static int load_before(const struct vm_define *o, const struct vm_guest *g, struct before *ret,
		       struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL, *file = NULL;
	struct vm_err why = VM_ERR_INIT;
	size_t len;

	ret->defined = g->defined;
	if (g->defined) {
		if (vm_definition_read(o->state, g->name, &text, &len, err) < 0)
			return vm_err_object(err, g->name);
		file = vm_xasprintf("%s/%s.xml", o->state->etc_path, g->name);
	} else if (g->active && g->run >= 0) {
		if (vm_file_read(g->run, VM_RUN_LIVE_XML, VM_DEFINITION_MAX, &text, &len, NULL,
				 &why) < 0)
			return 0;
		file = vm_xasprintf("%s/%s/" VM_RUN_LIVE_XML, o->state->run_path, g->name);
	} else {
		return 0;
	}
	if (vm_xml_parse(text, len, file, &ret->doc, &why) == 0 &&
	    vm_domain_parse(ret->doc, false, &ret->domain, &why) == 0)
		return 0;
	/* A definition that cannot be read is what this document is to mend. */
	vm_log_warning("%s: the definition there is cannot be read and is replaced: %s", g->name,
		       why.msg);
	vm_xml_freep(&ret->doc);
	return 0;
}

/* Under one name a guest keeps its UUID. */
static int check_identity(const struct vm_guest *g, const struct vm_domain *d,
			  const struct before *b, struct vm_err *err)
{
	const uint8_t *old = b->domain ? b->domain->uuid : g->has_uuid ? g->uuid : NULL;
	char uuid[37];

	if (!old || !mt_is_set(&d->obj, VM_DOMAIN_BIT_UUID) || memcmp(old, d->uuid, 16) == 0)
		return 0;
	vm_uuid_format(old, uuid);
	vm_err_set(err, VM_IN_USE, "is %s already with UUID %s", g->defined ? "defined" : "running",
		   uuid);
	vm_err_hint(err, "leave <uuid> out, or undefine it first");
	return vm_err_object(err, g->name);
}

static int check_owner(const struct vm_define *o, const struct vm_domain *d, struct vm_err *err)
{
	VM_AUTO_FREE char *owner = NULL;
	char uuid[37];

	if (vm_uuid_owner(o->state, d->uuid, &owner, err) < 0) {
		if (err->kind != VM_NOT_FOUND)
			return -1;
		*err = VM_ERR_INIT;
		return 0;
	}
	if (strcmp(owner, d->name) == 0)
		return 0;
	vm_uuid_format(d->uuid, uuid);
	vm_err_set(err, VM_IN_USE, "UUID %s is that of guest '%s'", uuid, owner);
	return vm_err_object(err, d->name);
}

static enum vm_claim_mode claim_mode(const struct vm_disk *disk)
{
	if (disk->readonly || disk->device == VM_DISK_CDROM)
		return VM_CLAIM_READ;
	return disk->shareable ? VM_CLAIM_SHARED : VM_CLAIM_EXCLUSIVE;
}

/* What a running guest of libvirtd uses is not ours to promise. */
static int check_libvirt(const struct vm_domain *d, struct vm_err *err)
{
	VM_AUTO(vm_libvirt_freep) struct vm_libvirt *l = NULL;

	if (vm_libvirt_load(&l, err) < 0)
		return -1;
	if (vm_libvirt_check_uuid(l, d->uuid, err) < 0)
		return vm_err_object(err, d->name);
	for (uint32_t i = 0; i < d->disks.n; i++) {
		const struct vm_disk *disk = d->disks.v[i];
		VM_AUTO_FREE char *key = NULL;
		struct vm_err ignored = VM_ERR_INIT;

		/* An image need not be there yet. */
		if (!disk->source || !disk->source->path ||
		    vm_claim_key_file(disk->source->path, &key, &ignored) < 0)
			continue;
		if (vm_libvirt_check_key(l, key, claim_mode(disk), err) < 0) {
			vm_err_wrap(err, "%s", disk->source->path);
			return vm_err_object(err, d->name);
		}
	}
	return 0;
}

struct report {
	const struct vm_define *o;
	bool any;
};

static void on_difference(const char *path, const char *old_value, const char *new_value, void *arg)
{
	struct report *r = arg;

	r->any = true;
	r->o->diff(path, old_value, new_value, r->o->diff_arg);
}

static void report_diff(const struct vm_define *o, const struct before *b,
			const struct vm_domain *d, bool changed)
{
	struct report r = {.o = o};

	if (!o->diff || !changed)
		return;
	if (!b->defined || !b->domain) {
		o->diff("domain", NULL, d->name, o->diff_arg);
		return;
	}
	mt_diff(&vm_domain_type, b->domain, d, on_difference, &r);
	if (!r.any)
		o->diff("#layout", NULL, NULL, o->diff_arg);
}

/* The index is made from the definition again if this fails. */
static void write_index(const struct vm_define *o, const struct vm_domain *d)
{
	struct vm_record facts = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	vm_domain_facts(d, &facts);
	vm_index_write(o->state, d->name, &facts, &ignored);
	vm_record_free(&facts);
}

static int store(const struct vm_define *o, struct vm_guest *g, const struct vm_domain *d,
		 const struct vm_xml *doc, struct vm_err *err)
{
	struct vm_err ignored = VM_ERR_INIT;
	const char *text;
	uint32_t uid;
	size_t len;

	memcpy(g->uuid, d->uuid, 16);
	g->has_uuid = true;
	text = vm_xml_text(doc, &len);
	if (vm_guest_uid_take(g, &uid, err) < 0)
		return vm_err_object(err, g->name);
	if (vm_definition_write(g, text, len, g->defined, err) < 0) {
		if (!g->defined && !g->active && !vm_definition_exists(g->state, g->name))
			vm_guest_uid_drop(g, &ignored);
		return vm_err_object(err, g->name);
	}
	write_index(o, d);
	if (!g->active || g->defined)
		return 0;
	/* A running guest without definition has one now. */
	vm_record_set(&g->record, VM_KEY_PERSISTENT, "yes");
	if (vm_guest_record_write(g, err) < 0)
		return vm_err_object(err, g->name);
	return 0;
}

static bool same_text(const struct vm_xml *a, const struct vm_xml *b)
{
	size_t n, m;
	const char *x = vm_xml_text(a, &n), *y = vm_xml_text(b, &m);

	return n == m && memcmp(x, y, n) == 0;
}

static int check_expected(const struct vm_define *o, const struct vm_guest *g, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	size_t len;

	if (!o->expected)
		return 0;
	if (vm_definition_read(o->state, g->name, &text, &len, err) < 0)
		return vm_err_object(err, g->name);
	if (len == o->expected_len && memcmp(text, o->expected, len) == 0)
		return 0;
	vm_err_set(err, VM_IN_USE, "the definition was changed meanwhile");
	return vm_err_object(err, g->name);
}

static int define(const struct vm_define *o, struct vm_guest *g, const struct vm_xml *doc,
		  const struct vm_domain *given, struct vm_defined *ret, struct vm_err *err)
{
	VM_AUTO(free_before) struct before b = {0};
	VM_AUTO(vm_xml_freep) struct vm_xml *whole = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	bool changed;

	if (check_expected(o, g, err) < 0 || load_before(o, g, &b, err) < 0 ||
	    check_identity(g, given, &b, err) < 0)
		return -1;
	if (vm_domain_complete(doc, b.doc, o->planner->completer, &whole, &d, err) < 0)
		return -1;
	if (check_owner(o, d, err) < 0 || check_libvirt(d, err) < 0)
		return -1;
	changed = !b.defined || !b.doc || !same_text(whole, b.doc);
	report_diff(o, &b, d, changed);
	ret->was_defined = b.defined;
	vm_uuid_format(d->uuid, ret->uuid);
	if (!changed)
		return 1;
	vm_log_step("write %s/%s.xml", o->state->etc_path, g->name);
	if (o->dry_run)
		return 0;
	if (o->before) {
		size_t len;
		const char *text = vm_xml_text(whole, &len);

		if (o->before(o->before_arg, text, len, err) < 0)
			return -1;
	}
	return store(o, g, d, whole, err);
}

int vm_guest_define_open(const struct vm_define *o, struct vm_guest *g, const struct vm_xml *doc,
			 struct vm_defined *ret, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *given = NULL;
	struct vm_defined defined = {0};
	int r;

	if (vm_domain_parse(doc, false, &given, err) < 0)
		return -1;
	assert(o->dry_run || g->lock >= 0);
	if (strcmp(given->name, g->name) != 0)
		return vm_err_set(err, VM_BAD_INPUT, "the document is that of a guest '%s'",
				  given->name);
	r = define(o, g, doc, given, &defined, err);
	if (r < 0)
		return -1;
	defined.name = vm_xstrdup(given->name);
	*ret = defined;
	return r;
}

int vm_guest_define(const struct vm_define *o, const struct vm_xml *doc, struct vm_defined *ret,
		    struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *given = NULL;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_defined defined = {0};
	int r;

	if (vm_domain_parse(doc, false, &given, err) < 0)
		return -1;
	if (vm_name_check(given->name, err) < 0) {
		struct vm_err why = *err;

		return vm_xml_error(doc, vm_xml_child(doc, 0, "name"), -1, VM_BAD_INPUT, err, "%s",
				    why.msg);
	}
	if (vm_xml_converted(doc))
		vm_log_warning("%s: converted from %s to UTF-8", vm_xml_file(doc),
			       vm_xml_converted(doc));
	if (vm_guest_open(o->state, given->name, VM_GUEST_NEW | (o->dry_run ? 0 : VM_GUEST_LOCKED),
			  o->deadline, &g, err) < 0)
		return vm_err_object(err, given->name);
	r = define(o, &g, doc, given, &defined, err);
	if (r < 0)
		return -1;
	defined.name = vm_xstrdup(given->name);
	*ret = defined;
	return r;
}
