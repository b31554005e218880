/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutations that know the tables: a datum of some row is set to a value that such a row has, in the document that is
 * there, with the elements that lead to it and the type it belongs to.  Bytes are mutated, too, now and then.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define STEPS_MAX 16u
#define NAME_LEN  64u

static uint64_t state;

static unsigned pick(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % n);
}

/* ---- all rows ---- */
static struct place {
	char *path; /* "domain/devices/disk/source(type=file)/@file" */
	const struct mt_row *row;
} *places;
static size_t nplaces;
/* Those of one element below <domain> or <devices>, one after the other. */
static struct family {
	char name[NAME_LEN];
	size_t first, n;
} *families;
static size_t nfamilies;

static void add_place(const char *path, const struct mt_row *row, void *arg)
{
	static const char device[] = "domain/devices/";
	const char *name = path + (strncmp(path, device, sizeof(device) - 1) == 0 ? sizeof(device) - 1 : 7);
	size_t len = strcspn(name, "/(@");
	struct family *f = nfamilies > 0 ? &families[nfamilies - 1] : NULL;

	(void)arg;
	if (strchr(row->xml, '*') != NULL || strchr(path, ':') != NULL || strlen(path) < 8)
		return;
	places = vm_xreallocarray(places, nplaces + 1, sizeof(*places));
	places[nplaces] = (struct place){ vm_xstrdup(path), row };
	if (f == NULL || strlen(f->name) != len || strncmp(f->name, name, len) != 0) {
		families = vm_xreallocarray(families, nfamilies + 1, sizeof(*families));
		f = &families[nfamilies++];
		*f = (struct family){ .first = nplaces };
		snprintf(f->name, sizeof(f->name), "%.*s", (int)len, name);
	}
	f->n++;
	nplaces++;
}

/* Addresses are most of the rows of every device, and all alike. */
static const struct place *place_of(const struct family *f)
{
	const struct place *p;
	int tries = 0;

	do
		p = &places[f->first + pick((unsigned)f->n)];
	while (strstr(p->path, "/address(") != NULL && pick(16) != 0 && tries++ < 64);
	return p;
}

/* ---- values ---- */
static const char *const texts[] = {
	"a",   "b",	"vda",	  "vdb",     "sda",  "hda", "hvm",     "q35", "pc",   "pc-q35-7.2", "x86_64",
	"qemu", "raw",	  "qcow2",   "utc",  "rtc", "pit",     "hpet", "kvm", "br0",	    "virtio",
	"e1000", "127.0.0.1", "::1", "5900", "Nehalem", "qemu64", "vmx", "svm", "ua-x", "enrolled-keys", "secure-boot",
	"2099-01-01T00:00:00", "org.qemu.guest_agent.0", "0123456789", "x y", "&amp;", "\xc3\xa4",
};
static const char *const paths[] = { "/a", "/b", "/dev/null", "/dev/urandom", "/", "/a/../b" };
static const char *const sets[] = { "0", "1", "0-1", "0-3,^2", "7", "0,2-4" };
static const char *const macs[] = { "52:54:00:00:00:01", "52:54:00:00:00:02", "01:00:00:00:00:00" };
static const char *const uuids[] = { "6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11", "00000000-0000-0000-0000-000000000000" };
#define ONE_OF(list) (list)[pick(VM_COUNT(list))]

static uint64_t number(const struct mt_range *r)
{
	uint64_t low = r != NULL ? r->min : 0, high = r != NULL && r->max != 0 ? r->max : UINT32_MAX;

	switch (pick(8)) {
	case 0:
		return low;
	case 1:
		return high;
	case 2:
		return high + 1;
	case 3:
		return low + pick(4);
	case 4:
		return UINT64_C(1) << pick(40);
	default:
		return pick(10);
	}
}

static void value(const struct mt_row *row, struct vm_strbuf *b)
{
	const char *const *words = row->arg;
	const struct mt_bool *yes_no = row->arg;
	unsigned n = 0;

	switch ((enum mt_kind)row->kind) {
	case MT_ENUM:
		while (words[n] != NULL)
			n++;
		/* one that is not supported seldom; there may be no other */
		for (int tries = 0; n > 0 && tries < 64; tries++) {
			const char *w = words[pick(n)];

			if (*w == 0 || (*w == '!' && pick(16) != 0))
				continue;
			vm_strbuf_puts(b, w + (*w == '!'));
			return;
		}
		return;
	case MT_BOOL:
		if ((row->flags & MT_PRESENT) == 0)
			vm_strbuf_puts(b, pick(2) ? yes_no->yes : yes_no->no);
		return;
	case MT_U64:
		vm_strbuf_printf(b, row->flags & MT_HEX ? "0x%" PRIx64 : "%" PRIu64, number(row->arg));
		return;
	case MT_I64:
		vm_strbuf_printf(b, "%" PRId64, pick(4) ? (int64_t)number(NULL) : -(int64_t)pick(3));
		return;
	case MT_SIZE:
		vm_strbuf_printf(b, "%" PRIu64, number(row->arg));
		return;
	case MT_UUID:
		vm_strbuf_puts(b, ONE_OF(uuids));
		return;
	case MT_MAC:
		vm_strbuf_puts(b, ONE_OF(macs));
		return;
	case MT_CPUSET:
		vm_strbuf_puts(b, ONE_OF(sets));
		return;
	case MT_PATH:
		vm_strbuf_puts(b, ONE_OF(paths));
		return;
	case MT_STR:
		if (row->def != 0 && pick(4) == 0)
			vm_strbuf_puts(b, (const char *)(uintptr_t)row->def);
		else
			vm_strbuf_puts(b, ONE_OF(texts));
		return;
	case MT_ONE:
	case MT_MANY:
	case MT_CASE:
	case MT_KEEP:
		return;
	}
}

/* ---- paths ---- */
struct step {
	char name[NAME_LEN];
	char type[NAME_LEN]; /* of what it belongs to, or "" */
	bool of_parent;	     /* that is an attribute of the element above */
	size_t len;	     /* of the path up to this name */
};
struct route {
	const char *path;
	struct step steps[STEPS_MAX];
	size_t n;
	char attr[NAME_LEN]; /* "" = the text of the last element, if any */
	bool text;
};

static bool parse_route(const char *path, struct route *r)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(path);
	char *rest = copy, *word;

	*r = (struct route){ .path = path };
	strsep(&rest, "/"); /* domain */
	while ((word = strsep(&rest, "/")) != NULL) {
		char *type = strchr(word, '(');
		struct step *s = &r->steps[r->n];

		if (*word == '@') {
			snprintf(r->attr, sizeof(r->attr), "%s", word + 1);
			return true;
		}
		if (*word == '#') {
			r->text = true;
			return true;
		}
		if (r->n == STEPS_MAX)
			return false;
		s->len = (size_t)(word - copy) + strcspn(word, "(");
		if (type != NULL) {
			*type = 0;
			type[strlen(type + 1)] = 0; /* ")" */
			snprintf(s->type, sizeof(s->type), "%s", strchr(type + 1, '=') + 1);
			s->of_parent = strcmp(word, "source") == 0;
		}
		snprintf(s->name, sizeof(s->name), "%s", word);
		r->n++;
	}
	return true;
}

/* The row that an element stands for by itself; NULL: it only leads to others. */
static const struct mt_row *object_at(const struct family *f, const struct route *r, size_t step)
{
	size_t len = r->steps[step].len;

	for (size_t i = f->first; i < f->first + f->n; i++)
		if (strlen(places[i].path) == len && strncmp(places[i].path, r->path, len) == 0 &&
		    places[i].row->kind >= MT_ONE)
			return places[i].row;
	return NULL;
}

/* One of the elements of that name; NONE: a new one is to be made, now and then where there may be several. */
static vm_node choose_child(const struct vm_xml *x, vm_node parent, const char *name, const struct mt_row *row)
{
	vm_node found = VM_NODE_NONE;
	unsigned n = 0;

	for (vm_node c = vm_xml_first(x, parent); c != VM_NODE_NONE; c = vm_xml_next(x, c))
		if (strcmp(vm_xml_name(x, c), name) == 0 && pick(++n) == 0)
			found = c;
	return row != NULL && row->kind == MT_MANY && pick(6) == 0 ? VM_NODE_NONE : found;
}

/* ---- new elements ---- */
struct element {
	char name[NAME_LEN];
	struct vm_strbuf attrs, text;
	struct element *children[STEPS_MAX];
	size_t n;
};

static struct element *element_new(const char *name)
{
	struct element *e = vm_xcalloc(1, sizeof(*e));

	snprintf(e->name, sizeof(e->name), "%s", name);
	return e;
}

static void element_free(struct element *e)
{
	for (size_t i = 0; i < e->n; i++)
		element_free(e->children[i]);
	vm_strbuf_free(&e->attrs);
	vm_strbuf_free(&e->text);
	free(e);
}

static struct element *element_child(struct element *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->children[i]->name, name) == 0)
			return e->children[i];
	if (e->n == STEPS_MAX)
		return e->children[0];
	return e->children[e->n++] = element_new(name);
}

/* What is there already stays. */
static void element_attr(struct element *e, const char *name, const char *text)
{
	char key[NAME_LEN + 4];
	const char *at;

	snprintf(key, sizeof(key), " %s='", name);
	at = e->attrs.text != NULL ? strstr(e->attrs.text, key) : NULL;
	if (at != NULL)
		return;
	vm_strbuf_puts(&e->attrs, key);
	vm_strbuf_xml(&e->attrs, text, true);
	vm_strbuf_putc(&e->attrs, '\'');
}

static void element_print(const struct element *e, struct vm_strbuf *b)
{
	vm_strbuf_printf(b, "<%s%s>%s", e->name, e->attrs.text != NULL ? e->attrs.text : "",
			 e->n == 0 && e->text.text != NULL ? e->text.text : "");
	for (size_t i = 0; i < e->n; i++)
		element_print(e->children[i], b);
	vm_strbuf_printf(b, "</%s>", e->name);
}

/* Puts a datum below the element of step `from`. */
static void element_put(struct element *e, const struct route *r, size_t from, const char *text)
{
	struct element *above = NULL;

	for (size_t i = from; i < r->n; i++) {
		const struct step *s = &r->steps[i];

		if (i > from) {
			above = e;
			e = element_child(e, s->name);
		}
		if (s->type[0] != 0 && !s->of_parent)
			element_attr(e, "type", s->type);
		else if (s->type[0] != 0 && above != NULL)
			element_attr(above, "type", s->type);
	}
	if (r->attr[0] != 0)
		element_attr(e, r->attr, text);
	else if (r->text && e->text.len == 0)
		vm_strbuf_xml(&e->text, text, false);
}

/* Does the element lead to the datum without another object between them, in the same case? */
static bool is_own(const struct family *f, const struct route *of, size_t step, const struct route *datum)
{
	if (datum->n <= step)
		return false;
	for (size_t i = 0; i <= step; i++)
		if (strcmp(datum->steps[i].name, of->steps[i].name) != 0 ||
		    (datum->steps[i].type[0] != 0 && strcmp(datum->steps[i].type, of->steps[i].type) != 0))
			return false;
	for (size_t i = step + 1; i < datum->n; i++)
		if (object_at(f, datum, i) != NULL)
			return false;
	return true;
}

/* What an element of that kind cannot be without. */
static void put_required(struct element *top, const struct family *f, const struct route *r, size_t from, size_t step)
{
	bool object = object_at(f, r, step) != NULL;

	for (size_t i = f->first; i < f->first + f->n; i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
		struct route datum;

		if (places[i].row->kind >= MT_ONE || !parse_route(places[i].path, &datum) ||
		    !is_own(f, r, step, &datum))
			continue;
		/* its text, if that is all it is about */
		if (!(object && (places[i].row->flags & MT_REQUIRED) != 0) && !(datum.text && datum.n == step + 1))
			continue;
		value(places[i].row, &b);
		element_put(top, &datum, from, b.text != NULL ? b.text : "");
	}
}

static void insert(struct vm_xml_edit *e, vm_node parent, const struct family *f, const struct route *r, size_t from,
		   const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct element *top = element_new(r->steps[from].name);

	element_put(top, r, from, text);
	for (size_t i = from; i < r->n; i++)
		put_required(top, f, r, from, i);
	element_print(top, &b);
	element_free(top);
	vm_xml_edit_insert(e, parent, VM_NODE_NONE, b.text);
}

static void set_datum(const struct vm_xml *x, struct vm_xml_edit *e, const struct family *f, const struct place *p)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct route r;
	vm_node at = 0, next;

	if (!parse_route(p->path, &r))
		return;
	value(p->row, &b);
	for (size_t depth = 0; depth < r.n; depth++) {
		const struct step *s = &r.steps[depth];

		next = choose_child(x, at, s->name, object_at(f, &r, depth));
		if (s->type[0] != 0 && s->of_parent && at != 0)
			vm_xml_edit_attr(e, at, "type", s->type);
		if (next == VM_NODE_NONE) {
			insert(e, at, f, &r, depth, b.text != NULL ? b.text : "");
			return;
		}
		if (s->type[0] != 0 && !s->of_parent && strcmp(r.attr, "type") != 0)
			vm_xml_edit_attr(e, next, "type", s->type);
		at = next;
	}
	if (r.attr[0] != 0)
		vm_xml_edit_attr(e, at, r.attr, b.text != NULL ? b.text : "");
	else if (r.text && vm_xml_first(x, at) == VM_NODE_NONE)
		vm_xml_edit_content(e, at, b.text != NULL ? b.text : "");
}

/* ---- less, and more of the same ---- */
static void cut(const struct vm_xml *x, struct vm_xml_edit *e)
{
	vm_node n = (vm_node)pick(vm_xml_node_count(x));
	unsigned attrs = vm_xml_attr_count(x, n);

	if (attrs > 0 && pick(2) == 0)
		vm_xml_edit_attr_remove(e, n, vm_xml_attr_name(x, n, pick(attrs)));
	else if (n != 0)
		vm_xml_edit_remove(e, n);
}

static void repeat(const struct vm_xml *x, struct vm_xml_edit *e)
{
	vm_node n = (vm_node)pick(vm_xml_node_count(x));
	VM_AUTO_FREE char *text = n != 0 ? vm_xml_element_text(x, n) : NULL;

	if (n != 0)
		vm_xml_edit_insert(e, vm_xml_parent(x, n), n, text);
}

static struct vm_xml *edit(struct vm_xml *x, const struct family *f)
{
	struct vm_xml_edit *e = vm_xml_edit_new(x);
	struct vm_err err = VM_ERR_INIT;
	struct vm_xml *now = NULL;
	unsigned how = pick(24);

	if (how == 0)
		cut(x, e);
	else if (how == 1)
		repeat(x, e);
	else
		set_datum(x, e, f, place_of(f));
	if (vm_xml_edit_apply(e, &now, &err) < 0)
		now = NULL;
	vm_xml_edit_free(e);
	if (now == NULL)
		return x;
	vm_xml_free(x);
	return now;
}

/* Guests in which most things may be: what one rule or the other asks for is there. */
static struct vm_xml *begin(void)
{
	static const char *const guests[] = {
		"<domain type='qemu'><name>a</name><memory>16384</memory><os><type>hvm</type></os>"
		"<features><acpi/></features><devices/></domain>",
		"<domain type='qemu'><name>a</name><memory>65536</memory><vcpu>2</vcpu><iothreads>2</iothreads>"
		"<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><smm state='on'/></features>"
		"<devices/></domain>",
		"<domain type='kvm'><name>a</name><memory>65536</memory><vcpu>2</vcpu>"
		"<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/><apic/></features>"
		"<cpu><numa><cell cpus='0' memory='32768'/><cell cpus='1' memory='32768'/></numa></cpu>"
		"<devices><controller type='scsi' index='0' model='virtio-scsi'/></devices></domain>",
	};
	const char *text = ONE_OF(guests);
	struct vm_err err = VM_ERR_INIT;
	struct vm_xml *x = NULL;

	return vm_xml_parse(text, strlen(text), "fuzz", &x, &err) == 0 ? x : NULL;
}

static struct vm_xml *parse(const uint8_t *data, size_t size)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_domain *d = NULL;
	struct vm_xml *x = NULL;

	if (vm_xml_parse((const char *)data, size, "fuzz", &x, &err) < 0)
		return pick(2) == 0 ? begin() : NULL;
	if (vm_domain_parse(x, false, &d, &err) == 0)
		vm_domain_free(d);
	/* From one that is no guest few lead to others that are. */
	else if (pick(4) != 0) {
		vm_xml_free(x);
		return begin();
	}
	return x;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const struct family *f;
	struct vm_xml *x = NULL;
	const char *text;
	size_t len;

	state = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
	if (nplaces == 0)
		mt_walk(&vm_domain_type, add_place, NULL);
	if (pick(5) != 0)
		x = parse(data, size);
	if (x == NULL)
		return LLVMFuzzerMutate(data, size, max_size);
	/* What hangs together stands together, mostly. */
	f = &families[pick((unsigned)nfamilies)];
	for (unsigned n = pick(6) == 0 ? 8 + pick(16) : 1 + pick(6); n > 0; n--) {
		if (pick(8) == 0)
			f = &families[pick((unsigned)nfamilies)];
		x = edit(x, f);
	}
	text = vm_xml_text(x, &len);
	if (len > max_size) {
		vm_xml_free(x);
		return LLVMFuzzerMutate(data, size, max_size);
	}
	memcpy(data, text, len);
	vm_xml_free(x);
	return len;
}
