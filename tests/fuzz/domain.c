/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a definition: refused with a position, or an object tree that survives its own text,
 * and a completion that is complete: done again it changes nothing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <driver.h>
#include <vm/model.h>
#include <vm/strbuf.h>

#include "lib/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm_err err;

static void report(const char *path, const char *from, const char *to, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s: %s -> %s\n", path, from != NULL ? from : "-", to != NULL ? to : "-");
}

static void check_format(const struct vm_domain *d, bool live)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_domain *again = NULL;
	struct vm_xml *x = NULL;

	mt_format(&vm_domain_type, d, 0, MT_FORMAT_SECRETS, &b);
	CHECK(vm_xml_parse(b.text, b.len, "formatted", &x, &err) == 0);
	CHECK(vm_domain_parse(x, live, &again, &err) == 0);
	if (!mt_equal(&vm_domain_type, d, again)) {
		mt_diff(&vm_domain_type, d, again, report, NULL);
		abort();
	}
	vm_domain_free(again);
	vm_xml_free(x);
	vm_strbuf_free(&b);
}

static void check_complete(const struct vm_xml *x)
{
	struct vm_domain *d = NULL, *d2 = NULL;
	struct vm_xml *once = NULL, *twice = NULL;

	if (vm_domain_complete(x, NULL, NULL, &once, &d, &err) < 0) {
		CHECK(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
		return;
	}
	CHECK(vm_domain_complete(once, once, NULL, &twice, &d2, &err) == 0);
	CHECK(strcmp(vm_xml_text(once, NULL), vm_xml_text(twice, NULL)) == 0);
	vm_domain_free(d);
	vm_domain_free(d2);
	vm_xml_free(twice);
	/* The admin's own document, defined again over the completed one, gives the completed one.
	 */
	CHECK(vm_domain_complete(x, once, NULL, &twice, &d2, &err) == 0);
	CHECK(strcmp(vm_xml_text(once, NULL), vm_xml_text(twice, NULL)) == 0);
	vm_domain_free(d2);
	vm_xml_free(twice);
	vm_xml_free(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_domain *d = NULL;
	struct vm_xml *x = NULL;

	err = VM_ERR_INIT;
	if (vm_xml_parse((const char *)data, size, "fuzz", &x, &err) < 0)
		return 0;
	for (int live = 0; live < 2; live++) {
		if (vm_domain_parse(x, live != 0, &d, &err) < 0) {
			CHECK(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
			CHECK(strncmp(err.msg, "fuzz:", 5) == 0);
			continue;
		}
		check_format(d, live != 0);
		vm_domain_free(d);
		if (live == 0)
			check_complete(x);
	}
	vm_xml_free(x);
	return 0;
}
