/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings and pins in the admin's own text. */
#include "tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "model/domain.h"

#define STEPS_MAX 4

/* An element on the way: by name, and by an attribute or a child's text where there are several. */
struct step {
	const char *name;
	const char *attr, *child; /* key; NULL = none */
	const char *value;	  /* of the key */
};
struct place {
	struct step steps[STEPS_MAX];
	size_t n;
	const char *attr; /* where the datum is; NULL = the element's text */
};

static bool matches(const struct vm_xml *doc, vm_node n, const struct step *s)
{
	vm_node child;
	const char *value;

	if (strcmp(vm_xml_name(doc, n), s->name) != 0 || *vm_xml_ns(doc, n) != '\0')
		return false;
	if (s->attr) {
		value = vm_xml_attr(doc, n, s->attr);
		/* numbers may be written in several ways */
		return value && strtoull(value, NULL, 10) == strtoull(s->value, NULL, 10);
	}
	if (!s->child)
		return true;
	child = vm_xml_child(doc, n, s->child);
	return child != VM_NODE_NONE && strcmp(vm_xml_content(doc, child), s->value) == 0;
}

/* Goes down as far as there are elements: how many steps, and the last node. */
static size_t find(const struct vm_xml *doc, const struct place *p, vm_node *ret)
{
	size_t depth;

	*ret = 0;
	for (depth = 0; depth < p->n; depth++) {
		vm_node n = vm_xml_first(doc, *ret);

		while (n != VM_NODE_NONE && !matches(doc, n, &p->steps[depth]))
			n = vm_xml_next(doc, n);
		if (n == VM_NODE_NONE)
			break;
		*ret = n;
	}
	return depth;
}

static int apply(struct vm_xml **doc, struct vm_xml_edit *e, struct vm_err *err)
{
	struct vm_xml *now = NULL;
	int r = vm_xml_edit_apply(e, &now, err);

	vm_xml_edit_free(e);
	if (r < 0)
		return -1;
	vm_xml_free(*doc);
	*doc = now;
	return 0;
}

/* A new family goes behind what it is about. */
static vm_node neighbour(const struct vm_xml *doc)
{
	static const char *const after[] = { "iothreadids", "iothreads", "vcpu", "currentMemory",
					     "memory",	    "name" };

	for (size_t i = 0; i < VM_COUNT(after); i++) {
		vm_node n = vm_xml_child(doc, 0, after[i]);

		if (n != VM_NODE_NONE)
			return n;
	}
	return VM_NODE_NONE;
}

static int make_step(struct vm_xml **doc, vm_node parent, const struct step *s, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_xml_edit *e = vm_xml_edit_new(*doc);

	vm_strbuf_printf(&b, "<%s", s->name);
	if (s->attr) {
		vm_strbuf_printf(&b, " %s='", s->attr);
		vm_strbuf_xml(&b, s->value, true);
		vm_strbuf_puts(&b, "'");
	}
	if (s->child) {
		vm_strbuf_printf(&b, "><%s>", s->child);
		vm_strbuf_xml(&b, s->value, false);
		vm_strbuf_printf(&b, "</%s></%s>", s->child, s->name);
	} else {
		vm_strbuf_puts(&b, "/>");
	}
	vm_xml_edit_insert(e, parent, parent == 0 ? neighbour(*doc) : VM_NODE_NONE, b.text);
	return apply(doc, e, err);
}

static int put(struct vm_xml **doc, const struct place *p, const char *text, bool kib,
	       struct vm_err *err)
{
	struct vm_xml_edit *e;
	vm_node n;
	size_t depth;

	while ((depth = find(*doc, p, &n)) < p->n)
		if (make_step(doc, n, &p->steps[depth], err) < 0)
			return -1;
	e = vm_xml_edit_new(*doc);
	if (p->attr) {
		vm_xml_edit_attr(e, n, p->attr, text);
	} else {
		vm_xml_edit_content(e, n, text);
		if (kib)
			vm_xml_edit_attr(e, n, "unit", "KiB");
	}
	return apply(doc, e, err);
}

/* Is there nothing in it but the key that says which one it is? */
static bool is_empty(const struct vm_xml *doc, vm_node n, const struct step *s)
{
	unsigned attrs = vm_xml_attr_count(doc, n);

	for (vm_node c = vm_xml_first(doc, n); c != VM_NODE_NONE; c = vm_xml_next(doc, c))
		if (!s->child || strcmp(vm_xml_name(doc, c), s->child) != 0)
			return false;
	return attrs == (s->attr ? 1u : 0u) && *vm_xml_content(doc, n) == '\0';
}

/* The elements that were there for it alone go, too. */
static int cut(struct vm_xml **doc, const struct place *p, struct vm_err *err)
{
	struct place above = *p;
	struct vm_xml_edit *e;
	vm_node n;

	if (find(*doc, p, &n) < p->n || (p->attr && !vm_xml_attr(*doc, n, p->attr)))
		return 0;
	e = vm_xml_edit_new(*doc);
	if (p->attr)
		vm_xml_edit_attr_remove(e, n, p->attr);
	else
		vm_xml_edit_remove(e, n);
	if (apply(doc, e, err) < 0)
		return -1;
	for (above.n -= p->attr ? 0 : 1; above.n > 0; above.n--) {
		if (find(*doc, &above, &n) < above.n ||
		    !is_empty(*doc, n, &above.steps[above.n - 1]))
			return 0;
		e = vm_xml_edit_new(*doc);
		vm_xml_edit_remove(e, n);
		if (apply(doc, e, err) < 0)
			return -1;
	}
	return 0;
}

/* "cputune/shares", "numatune/memory/@mode"; text is cut up and must stay. */
static void split(char *text, struct place *p)
{
	char *name;

	while ((name = strsep(&text, "/")) != NULL && p->n < STEPS_MAX)
		if (name[0] == '@')
			p->attr = name + 1;
		else
			p->steps[p->n++] = (struct step){ .name = name };
}

/* Nodes beside placement='auto' would not count. */
static int keep_nodes(struct vm_xml **doc, struct place p, struct vm_err *err)
{
	const char *word;
	vm_node n;

	p.attr = "placement";
	if (find(*doc, &p, &n) < p.n)
		return 0;
	word = vm_xml_attr(*doc, n, p.attr);
	return word && strcmp(word, "auto") == 0 ? put(doc, &p, "static", false, err) : 0;
}

int vm_tune_edit(struct vm_xml **doc, const struct vm_tune_setting *s, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_xstrdup(s->t->xml);
	VM_AUTO_FREE char *text = NULL;
	struct place p = { .n = 0 };
	bool bytes = s->t->kind == VM_TUNE_BYTES || s->t->kind == VM_TUNE_SWAP;

	if (s->t->per_device) {
		p.steps[p.n++] = (struct step){ .name = "blkiotune" };
		p.steps[p.n++] =
			(struct step){ .name = "device", .child = "path", .value = s->device };
	}
	split(path, &p);
	if (s->v.unlimited)
		return cut(doc, &p, err);
	if (s->v.text)
		text = vm_xstrdup(s->v.text);
	else
		text = vm_xasprintf("%" PRIu64, bytes ? (s->v.n + 1023) / 1024 : s->v.n);
	if (put(doc, &p, text, bytes, err) < 0)
		return -1;
	return s->t->kind == VM_TUNE_NODES ? keep_nodes(doc, p, err) : 0;
}

static int edit_one(struct vm_xml **doc, int class, uint64_t id, const struct vm_tune_pin *pin,
		    struct vm_err *err)
{
	static const char *const names[] = { [VM_TUNE_VCPU] = "vcpupin",
					     [VM_TUNE_EMULATOR] = "emulatorpin",
					     [VM_TUNE_IOTHREAD] = "iothreadpin" };
	static const char *const keys[] = { [VM_TUNE_VCPU] = "vcpu", [VM_TUNE_EMULATOR] = NULL,
					    [VM_TUNE_IOTHREAD] = "iothread" };
	VM_AUTO_FREE char *text = NULL;
	char number[24];
	struct place p = { .steps = { { .name = "cputune" },
				      { .name = names[class], .attr = keys[class], .value = number } },
			   .n = 2 };

	snprintf(number, sizeof(number), "%" PRIu64, id);
	if (pin->anywhere)
		return cut(doc, &p, err);
	text = mt_cpuset_text(&pin->cpus);
	p.attr = "cpuset";
	return put(doc, &p, text, false, err);
}

int vm_tune_edit_pin(struct vm_xml **doc, const struct vm_domain *d, const struct vm_tune_pin *p,
		     struct vm_err *err)
{
	VM_AUTO_FREE uint64_t *ids = NULL;
	uint32_t n;

	if (p->class == VM_TUNE_VCPU && !p->all && p->id >= d->vcpus)
		return vm_err_set(err, VM_NOT_FOUND, "the definition has no vCPU %" PRIu64 ": there are %" PRIu64,
				  p->id, d->vcpus);
	if (p->class == VM_TUNE_IOTHREAD && !p->all && !vm_domain_has_iothread(d, p->id))
		return vm_err_set(err, VM_NOT_FOUND, "the definition has no I/O thread %" PRIu64, p->id);
	if (!p->all)
		return edit_one(doc, p->class, p->id, p, err);
	if (p->class == VM_TUNE_VCPU) {
		for (uint64_t i = 0; i < d->vcpus; i++)
			if (edit_one(doc, p->class, i, p, err) < 0)
				return -1;
		return 0;
	}
	n = vm_domain_iothreads(d, &ids);
	for (uint32_t i = 0; i < n; i++)
		if (edit_one(doc, p->class, ids[i], p, err) < 0)
			return -1;
	return 0;
}
