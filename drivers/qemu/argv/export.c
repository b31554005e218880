/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest as the shell command that would run it. */
#include <string.h>

#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "argv.h"
#include "qemu/plug/hostdev.h"
#include "driver.h"
#include "qemu/qemu.h"

#define PLACE_MS 10000u

/* One option a line: "-device '{...}' \". */
void vm_argv_shell(const struct vm_argv *a, struct vm_strbuf *out)
{
	for (size_t i = 0; i < a->nenv; i++) {
		vm_strbuf_shell(out, a->env[i]);
		vm_strbuf_putc(out, ' ');
	}
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			vm_strbuf_puts(out,
				       a->v[i][0] == '-' && a->v[i][1] != '\0' ? " \\\n" : " ");
		vm_strbuf_shell(out, a->v[i]);
	}
	vm_strbuf_putc(out, '\n');
}

static void json_list(char *const *v, size_t n, struct vm_strbuf *out)
{
	vm_strbuf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			vm_strbuf_putc(out, ',');
		vm_strbuf_json(out, v[i]);
	}
	vm_strbuf_putc(out, ']');
}

static void json_argv(const struct vm_argv *a, struct vm_strbuf *out)
{
	json_list(a->v, a->n, out);
}

static void json_env(const struct vm_argv *a, struct vm_strbuf *out)
{
	json_list(a->env, a->nenv, out);
}

int vm_qemu_export(const struct vm_domain *d, const char *format,
		   const struct vm_guest_paths *paths, struct vm_strbuf *out, struct vm_err *err)
{
	static const struct {
		const char *format;
		void (*write)(const struct vm_argv *a, struct vm_strbuf *out);
	} formats[] = {{"qemu-argv", vm_argv_shell},
		       {"qemu-argv+json", json_argv},
		       {"qemu-argv+env", json_env}};
	VM_AUTO(vm_hostdev_nodes_free) struct vm_hostdev_nodes nodes = { 0 };
	struct vm_qemu_env env = {.run_path = paths->run, .lib_path = paths->lib};
	VM_AUTO(vm_argv_free) struct vm_argv a = VM_ARGV_INIT;
	struct vm_domain *whole;
	int rc;

	for (size_t i = 0; i < VM_COUNT(formats); i++) {
		if (strcmp(format, formats[i].format) != 0)
			continue;
		if (vm_hostdev_nodes_read(d, &nodes, err) < 0)
			return -1;
		whole = mt_copy(&vm_domain_type, d);
		env.hostdev_nodes = (const char *const *)nodes.v;
		rc = vm_qemu_choose_firmware(whole, err) < 0 ||
				     vm_qemu_place(whole, vm_deadline_in(PLACE_MS), err) < 0 ||
				     vm_qemu_argv(whole, NULL, &env, &a, err) < 0
			     ? -1
			     : 0;
		vm_domain_free(whole);
		if (rc == 0)
			formats[i].write(&a, out);
		return rc;
	}
	return vm_err_set(err, VM_UNSUPPORTED, "the qemu driver has the format qemu-argv");
}
