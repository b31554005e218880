/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a definition for QEMU: refused as bad or unsupported, or completed once and for all
 * (done again, or over what is stored, it changes nothing), and planned as a command line whose
 * objects are valid JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <driver.h>
#include <model/domain.h>
#include <qemu/argv.h>
#include <qemu/qemu.h>
#include <vm/json.h>
#include <vm/strbuf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm_err err;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, err.msg);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_argv(const struct vm_domain *d, const struct vm_xml *doc)
{
	const struct vm_qemu_env env = {.run_path = "/run/x", .lib_path = "/lib/x", .now_s = 1};
	struct vm_argv a = VM_ARGV_INIT;
	struct vm_strbuf shell = VM_STRBUF_INIT;

	if (vm_qemu_argv(d, doc, &env, &a, &err) < 0) {
		CHECK(err.kind == VM_UNSUPPORTED);
		return;
	}
	CHECK(a.v[a.n] == NULL);
	for (size_t i = 1; i < a.n; i++)
		if (a.v[i][0] == '{' && a.v[i - 1][0] == '-' && strcmp(a.v[i - 1], "-append") != 0)
			CHECK(vm_json_valid(a.v[i], strlen(a.v[i])));
	for (size_t i = 0; i < a.nfds; i++)
		CHECK(a.fds[i].number == VM_ARGV_FIRST_FD + (int)i);
	vm_argv_shell(&a, &shell);
	vm_strbuf_free(&shell);
	vm_argv_free(&a);
}

static void check_again(const struct vm_xml *x, const struct vm_xml *stored, const char *want)
{
	struct vm_domain *d = NULL;
	struct vm_xml *doc = NULL;

	CHECK(vm_domain_complete(x, stored, &vm_qemu_planner, &doc, &d, &err) == 0);
	CHECK(strcmp(vm_xml_text(doc, NULL), want) == 0);
	vm_domain_free(d);
	vm_xml_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_xml *x = NULL, *once = NULL;
	struct vm_domain *d = NULL;

	err = VM_ERR_INIT;
	if (vm_xml_parse((const char *)data, size, "fuzz", &x, &err) < 0)
		return 0;
	if (vm_domain_complete(x, NULL, &vm_qemu_planner, &once, &d, &err) < 0) {
		CHECK(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
	} else {
		const char *text = vm_xml_text(once, NULL);

		check_again(once, NULL, text);
		check_again(x, once, text);
		check_argv(d, once);
		vm_domain_free(d);
		vm_xml_free(once);
	}
	vm_xml_free(x);
	return 0;
}
