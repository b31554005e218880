/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-index: reads the definitions that vm-list has no current index of, names on stdin, facts on
 * stdout.  Run by vm-list, which has no XML parser; it writes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/log.h>
#include <vm/state.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

static void put(struct vm_strbuf *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	vm_strbuf_printf(out, "%s=", key);
	vm_strbuf_escape(out, value);
	vm_strbuf_putc(out, '\n');
}

static const char *content(const struct vm_xml *doc, const char *child)
{
	vm_node n = vm_xml_child(doc, 0, child);

	return n == VM_NODE_NONE ? NULL : vm_xml_content(doc, n);
}

static int read_one(const struct vm_state *s, const char *name, struct vm_strbuf *out,
		    struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf file = VM_STRBUF_INIT;
	const char *inner;

	if (vm_name_check(name, err) < 0)
		return -1;
	vm_strbuf_printf(&file, "%s.xml", name);
	if (vm_xml_load_at(s->etc, file.text, &doc, err) < 0)
		return -1;
	if (strcmp(vm_xml_name(doc, 0), "domain") != 0)
		return vm_xml_error(doc, 0, -1, VM_BAD_INPUT, err, "<%s> is not a <domain>",
				    vm_xml_name(doc, 0));
	inner = content(doc, "name");
	if (!inner || strcmp(inner, name) != 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: names the guest '%s'", file.text,
				  inner ? inner : "");
	put(out, "uuid", content(doc, "uuid"));
	put(out, "title", content(doc, "title"));
	return 0;
}

static int read_all(const char *connect, struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO_FREE char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (vm_state_open(connect, VM_STATE_READ, &s, err) < 0)
		return -1;
	while ((len = getline(&line, &size, stdin)) > 0) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf out = VM_STRBUF_INIT;
		struct vm_err one = VM_ERR_INIT;

		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		put(&out, "name", line);
		/* who may look but not read does not know what is in it */
		if (read_one(&s, line, &out, &one) < 0 && one.kind != VM_DENIED)
			put(&out, "problem", one.msg);
		if (out.text && fwrite(out.text, 1, out.len, stdout) != out.len)
			break;
	}
	if (ferror(stdout) || fflush(stdout) != 0)
		return vm_err_sys(err, "write");
	return 0;
}

int main(int argc, char **argv)
{
	struct vm_err err = VM_ERR_INIT;

	vm_program_name = "vm-index";
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("vm-index %s\n", VM_VERSION) < 0 ? VM_SYSTEM : 0;
	if (argc != 3 || strcmp(argv[1], "--connect") != 0) {
		fprintf(stderr, "vm-index: usage: vm-index --connect URI; it is run by vm-list\n");
		return VM_USAGE;
	}
	if (read_all(argv[2], &err) < 0) {
		fprintf(stderr, "vm-index: %s\n", err.msg);
		return (int)err.kind;
	}
	return 0;
}
