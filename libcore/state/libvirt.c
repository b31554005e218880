/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/libvirt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>

#define PLACE	    "/run/libvirt/qemu"
#define FILE_MAX    (4u << 20) /* bytes */
#define TOTAL_MAX   (64u << 20)
#define FILES_MAX   4096u
#define SOURCES_MAX 1024u /* of one guest */
#define PATH_BYTES  4096u

struct use {
	char *key;
	enum vm_claim_mode mode;
};
struct other {
	char *name;
	uint8_t uuid[16];
	bool has_uuid;
	struct use *uses;
	size_t n;
};
struct vm_libvirt {
	struct other *v;
	size_t n;
	size_t bytes;
};

/* ---- tags: just enough to walk a document that libvirt itself wrote ---- */

struct tag {
	const char *name, *attrs, *end; /* attrs up to end */
	size_t len;
	bool close, empty;
};

static const char *after(const char *p, const char *end, const char *mark)
{
	const char *at = memmem(p, (size_t)(end - p), mark, strlen(mark));

	return at ? at + strlen(mark) : NULL;
}

static bool begins(const char *p, const char *end, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(end - p) >= len && memcmp(p, with, len) == 0;
}

/* Moves *p behind the next tag; false at the end, and where it is no XML any more. */
static bool next_tag(const char **p, const char *end, struct tag *t)
{
	const char *at = *p, *q;
	char quote = 0;

	for (;;) {
		at = memchr(at, '<', (size_t)(end - at));
		if (!at)
			return false;
		if (begins(at, end, "<!--"))
			at = after(at + 4, end, "-->");
		else if (begins(at, end, "<![CDATA["))
			at = after(at, end, "]]>");
		else if (begins(at, end, "<?"))
			at = after(at, end, "?>");
		else if (begins(at, end, "<!"))
			at = after(at, end, ">");
		else
			break;
		if (!at)
			return false;
	}
	for (q = ++at; q < end && (quote || *q != '>'); q++) {
		if (quote && *q == quote)
			quote = 0;
		else if (!quote && (*q == '"' || *q == '\''))
			quote = *q;
	}
	if (q == end)
		return false;
	*p = q + 1;
	t->close = at < q && *at == '/';
	t->name = t->close ? at + 1 : at;
	t->empty = q > t->name && q[-1] == '/';
	t->end = t->empty ? q - 1 : q;
	for (t->attrs = t->name; t->attrs < t->end && !strchr(" \t\r\n", *t->attrs); t->attrs++)
		;
	t->len = (size_t)(t->attrs - t->name);
	return true;
}

static bool is(const struct tag *t, const char *name)
{
	return t->len == strlen(name) && memcmp(t->name, name, t->len) == 0;
}

/* Copies text with XML's own entities resolved; false if it does not fit or holds others. */
static bool unescape(const char *p, const char *end, char *buf, size_t size)
{
	static const struct {
		const char *from;
		char to;
	} entities[] = {
	    {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''},
	};
	size_t n = 0, i;

	while (p < end) {
		if (n + 1 >= size)
			return false;
		if (*p != '&') {
			buf[n++] = *p++;
			continue;
		}
		for (i = 0; i < VM_COUNT(entities); i++)
			if (begins(p, end, entities[i].from))
				break;
		if (i == VM_COUNT(entities))
			return false;
		buf[n++] = entities[i].to;
		p += strlen(entities[i].from);
	}
	buf[n] = '\0';
	return true;
}

static bool attr(const struct tag *t, const char *name, char *buf, size_t size)
{
	const char *p = t->attrs, *eq, *close;
	size_t len = strlen(name);

	while (p < t->end) {
		while (p < t->end && strchr(" \t\r\n", *p))
			p++;
		eq = memchr(p, '=', (size_t)(t->end - p));
		if (!eq || t->end - eq < 3 || (eq[1] != '"' && eq[1] != '\''))
			return false;
		close = memchr(eq + 2, eq[1], (size_t)(t->end - eq - 2));
		if (!close)
			return false;
		if ((size_t)(eq - p) == len && memcmp(p, name, len) == 0)
			return unescape(eq + 2, close, buf, size);
		p = close + 1;
	}
	return false;
}

/* ---- one document ---- */

struct scan {
	struct other *o;
	unsigned depth, domain_depth, disk_depth, backing_depth;
	unsigned host_depth, host_source_depth; /* of a host device, and its <source> */
	bool readonly, shareable;
	size_t disk_first; /* first use of the present disk */
	bool dead;
};

static void add_source(struct scan *s, const struct tag *t)
{
	struct vm_err ignored = VM_ERR_INIT;
	char path[PATH_BYTES];
	char *key;

	if (!attr(t, "file", path, sizeof(path)) && !attr(t, "dev", path, sizeof(path)))
		return;
	/* an image that is gone is nobody's */
	if (s->o->n >= SOURCES_MAX || vm_claim_key_file(path, &key, &ignored) < 0)
		return;
	s->o->uses = vm_xreallocarray(s->o->uses, s->o->n + 1, sizeof(*s->o->uses));
	s->o->uses[s->o->n++] =
	    (struct use){key, s->backing_depth ? VM_CLAIM_READ : VM_CLAIM_EXCLUSIVE};
}

static void add_key(struct scan *s, char *key)
{
	if (s->o->n >= SOURCES_MAX) {
		free(key);
		return;
	}
	s->o->uses = vm_xreallocarray(s->o->uses, s->o->n + 1, sizeof(*s->o->uses));
	s->o->uses[s->o->n++] = (struct use){key, VM_CLAIM_EXCLUSIVE};
}

static bool number(const struct tag *t, const char *name, unsigned long max, unsigned *ret)
{
	char text[32], *end;
	unsigned long v;

	if (!attr(t, name, text, sizeof(text)) || *text < '0' || *text > '9')
		return false;
	v = strtoul(text, &end, 0);
	if (*end || v > max)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* <address> in the <source> of a host device: PCI, or a mediated one; others have keys of this host's own. */
static void add_host_address(struct scan *s, const struct tag *t)
{
	unsigned domain = 0, bus, slot, function;
	uint8_t uuid[16];
	char text[64];

	if (number(t, "bus", 0xff, &bus) && number(t, "slot", 0x1f, &slot) &&
	    number(t, "function", 7, &function)) {
		number(t, "domain", UINT32_MAX, &domain);
		add_key(s, vm_xasprintf("pci:%04x:%02x:%02x.%x", domain, bus, slot, function));
	} else if (attr(t, "uuid", text, sizeof(text)) && vm_uuid_parse(text, uuid) == 0) {
		vm_uuid_format(uuid, text);
		add_key(s, vm_xasprintf("mdev:%s", text));
	}
}

static void open_hostdev(struct scan *s, const struct tag *t)
{
	char type[32];

	if (!s->host_depth) {
		if (is(t, "hostdev") ||
		    (is(t, "interface") && attr(t, "type", type, sizeof(type)) && strcmp(type, "hostdev") == 0))
			s->host_depth = s->depth;
	} else if (!s->host_source_depth) {
		if (is(t, "source"))
			s->host_source_depth = s->depth;
	} else if (is(t, "address")) {
		add_host_address(s, t);
	}
}

static void end_disk(struct scan *s)
{
	size_t i;

	for (i = s->disk_first; i < s->o->n; i++) {
		if (s->o->uses[i].mode != VM_CLAIM_EXCLUSIVE)
			continue;
		if (s->readonly)
			s->o->uses[i].mode = VM_CLAIM_READ;
		else if (s->shareable)
			s->o->uses[i].mode = VM_CLAIM_SHARED;
	}
	s->disk_depth = s->backing_depth = 0;
}

static void open_tag(struct scan *s, const struct tag *t, const char *text, const char *end)
{
	char buf[256];
	const char *lt = memchr(text, '<', (size_t)(end - text));
	pid_t pid;

	if (is(t, "domstatus") && attr(t, "pid", buf, sizeof(buf))) {
		pid = (pid_t)strtol(buf, NULL, 10);
		s->dead = pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
	} else if (is(t, "domain") && !s->domain_depth) {
		s->domain_depth = s->depth;
	} else if (s->domain_depth && s->depth == s->domain_depth + 1 && lt) {
		if (is(t, "name") && !s->o->name && unescape(text, lt, buf, sizeof(buf)))
			s->o->name = vm_xstrdup(buf);
		else if (is(t, "uuid") && !s->o->has_uuid && unescape(text, lt, buf, sizeof(buf)))
			s->o->has_uuid = vm_uuid_parse(buf, s->o->uuid) == 0;
	}
	if (is(t, "disk") && !s->disk_depth) {
		s->disk_depth = s->depth;
		s->disk_first = s->o->n;
		s->readonly = s->shareable = false;
	} else if (s->disk_depth) {
		if (is(t, "backingStore") && !s->backing_depth)
			s->backing_depth = s->depth;
		else if (is(t, "source"))
			add_source(s, t);
		else if (is(t, "readonly"))
			s->readonly = true;
		else if (is(t, "shareable"))
			s->shareable = true;
	} else {
		open_hostdev(s, t);
	}
}

static void close_tag(struct scan *s)
{
	if (s->backing_depth == s->depth)
		s->backing_depth = 0;
	if (s->host_source_depth == s->depth)
		s->host_source_depth = 0;
	if (s->host_depth == s->depth)
		s->host_depth = 0;
	if (s->disk_depth == s->depth)
		end_disk(s);
	if (s->domain_depth == s->depth)
		s->domain_depth = 0;
	if (s->depth)
		s->depth--;
}

/* True: a guest that runs. */
static bool scan_document(const char *text, size_t len, struct other *o)
{
	const char *p = text, *end = text + len;
	struct scan s = {.o = o};
	struct tag t;

	while (next_tag(&p, end, &t)) {
		if (!t.close) {
			s.depth++;
			open_tag(&s, &t, p, end);
		}
		if (t.close || t.empty)
			close_tag(&s);
	}
	if (s.disk_depth)
		end_disk(&s);
	return !s.dead;
}

static void other_free(struct other *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		free(o->uses[i].key);
	free(o->uses);
	free(o->name);
}

struct vm_libvirt *vm_libvirt_new(void)
{
	return vm_xcalloc(1, sizeof(struct vm_libvirt));
}

void vm_libvirt_add(struct vm_libvirt *l, const char *name, const char *text, size_t len)
{
	struct other o = {0};

	l->bytes += len;
	if (!scan_document(text, len, &o)) {
		other_free(&o);
		return;
	}
	if (!o.name)
		o.name = vm_xstrdup(name);
	l->v = vm_xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = o;
}

static int load_one(int dirfd, const char *file, void *arg)
{
	struct vm_libvirt *l = arg;
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *name = NULL;
	struct vm_err err = VM_ERR_INIT;
	size_t len = strlen(file);

	if (len < 5 || len > 255 || strcmp(file + len - 4, ".xml") != 0)
		return 0;
	if (l->n >= FILES_MAX || l->bytes >= TOTAL_MAX) {
		vm_log_warning("%s: too much to look through; further libvirt guests are not seen",
			       PLACE);
		return 1;
	}
	name = vm_xstrndup(file, len - 4);
	if (vm_file_read(dirfd, file, FILE_MAX, &text, &len, NULL, &err) == 0)
		vm_libvirt_add(l, name, text, len);
	else if (err.kind != VM_NOT_FOUND)
		vm_log_warning("%s: %s", PLACE, err.msg);
	return 0;
}

int vm_libvirt_load(struct vm_libvirt **ret, struct vm_err *err)
{
	VM_AUTO_FREE char *path = vm_state_path(PLACE);
	struct vm_libvirt *l = vm_libvirt_new();
	VM_AUTO_FD int dir = -1;

	if (vm_dir_open(AT_FDCWD, path, &dir, err) < 0) {
		/* a session's user may not look there; what root's guests use it cannot open anyway
		 */
		if (err->kind != VM_NOT_FOUND && err->kind != VM_DENIED) {
			vm_libvirt_free(l);
			return -1;
		}
	} else if (vm_dir_each(dir, load_one, l, err) < 0) {
		vm_libvirt_free(l);
		return vm_err_wrap(err, "%s", path);
	}
	*ret = l;
	return 0;
}

void vm_libvirt_free(struct vm_libvirt *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->n; i++)
		other_free(&l->v[i]);
	free(l->v);
	free(l);
}

void vm_libvirt_freep(struct vm_libvirt **l)
{
	vm_libvirt_free(*l);
	*l = NULL;
}

int vm_libvirt_check_uuid(const struct vm_libvirt *l, const uint8_t uuid[16], struct vm_err *err)
{
	char text[37];
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (!l->v[i].has_uuid || memcmp(l->v[i].uuid, uuid, 16) != 0)
			continue;
		vm_uuid_format(uuid, text);
		vm_err_set(err, VM_IN_USE, "UUID %s is that of libvirt's running guest '%s'", text,
			   l->v[i].name);
		return vm_err_hint(err, "virsh shutdown %s", l->v[i].name);
	}
	return 0;
}

int vm_libvirt_check_key(const struct vm_libvirt *l, const char *key, enum vm_claim_mode mode,
			 struct vm_err *err)
{
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		for (k = 0; k < l->v[i].n; k++) {
			const struct use *u = &l->v[i].uses[k];

			if (strcmp(u->key, key) != 0 ||
			    (u->mode == mode && mode != VM_CLAIM_EXCLUSIVE))
				continue;
			vm_err_set(err, VM_IN_USE, "is used by libvirt's running guest '%s'",
				   l->v[i].name);
			return vm_err_hint(err, "virsh shutdown %s", l->v[i].name);
		}
	}
	return 0;
}

int vm_guest_libvirt_check(struct vm_guest *g, struct vm_err *err)
{
	if (!g->libvirt && vm_libvirt_load(&g->libvirt, err) < 0)
		return -1;
	return g->has_uuid ? vm_libvirt_check_uuid(g->libvirt, g->uuid, err) : 0;
}
