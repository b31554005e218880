/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/cgroup.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#define MACHINE_MAX 64u	  /* characters, as systemd-machined has it for machines */
#define COMPONENT_MAX 255u /* bytes of a directory's name */
#define PARTITION_MAX 2048u

/* ASCII whatever the locale. */
static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint32_t hash(const char *text)
{
	uint32_t h = 0x811c9dc5u; /* FNV-1a */

	for (; *text != 0; text++)
		h = (h ^ (unsigned char)*text) * 0x01000193u;
	return h;
}

static void machine_name(const char *name, struct vm_strbuf *b)
{
	for (const char *c = name; *c != 0 && b->len < MACHINE_MAX; c++)
		if (is_alnum(*c) || ((*c == '.' || *c == '-') && b->len > 0 &&
				     is_alnum(b->text[b->len - 1])))
			vm_strbuf_putc(b, *c);
	while (b->len > 0 && !is_alnum(b->text[b->len - 1]))
		b->text[--b->len] = 0;
	if (b->len == 0 || strcmp(b->text, name) != 0)
		vm_strbuf_printf(b, "%s%08" PRIx32, b->len > 0 ? "-" : "", hash(name));
}

char *vm_cgroup_escape(const struct vm_cgroup_host *h, const char *name)
{
	bool escape = *name == '_' || *name == '.' || strncmp(name, "cgroup.", 7) == 0;

	for (size_t i = 0; h->names != NULL && h->names[i] != NULL && !escape; i++) {
		size_t len = strlen(h->names[i]);

		escape = strncmp(name, h->names[i], len) == 0 && name[len] == '.';
	}
	return vm_xasprintf("%s%s", escape ? "_" : "", name);
}

char *vm_cgroup_guest_dir(const struct vm_cgroup_host *h, const char *name, const char *driver,
			  const char *tag)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	machine_name(name, &b);
	if (tag != NULL)
		vm_strbuf_printf(&b, ".%s", tag);
	vm_strbuf_printf(&b, ".vm-%s", driver);
	return vm_cgroup_escape(h, b.text);
}

static int add_component(const struct vm_cgroup_host *h, const char *name, bool first,
			 struct vm_strbuf *b, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *escaped = NULL;
	bool plain = strchr(name, '.') != NULL ||
		     (first && (strcmp(name, "machine") == 0 || strcmp(name, "system") == 0 ||
				strcmp(name, "user") == 0));

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no part of a partition", name);
	text = vm_xasprintf("%s%s", name, plain ? "" : ".partition");
	escaped = vm_cgroup_escape(h, text);
	if (strlen(escaped) > COMPONENT_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "'%.40s...' is too long", name);
	vm_strbuf_printf(b, "/%s", escaped);
	return 0;
}

int vm_cgroup_partition_path(const struct vm_cgroup_host *h, const char *partition, char **ret,
			     struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO_FREE char *copy = NULL;
	char *name, *rest;

	if (*partition != '/')
		return vm_err_set(err, VM_BAD_INPUT, "partition '%.100s' does not begin with /",
				  partition);
	if (strlen(partition) > PARTITION_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "partition '%.40s...' is too long", partition);
	for (const char *at = partition; *at != 0; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return vm_err_set(err, VM_BAD_INPUT,
					  "partition '%.100s' has a control character in it", partition);
	rest = copy = vm_xstrdup(partition);
	while ((name = strsep(&rest, "/")) != NULL)
		if (*name != 0 && add_component(h, name, b.len == 0, &b, err) < 0)
			return vm_err_wrap(err, "partition %.100s", partition);
	*ret = b.len > 0 ? vm_strbuf_take(&b) : vm_xstrdup("/");
	return 0;
}
