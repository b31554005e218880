/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as an XPath and as an assignment: refused cleanly, or a set in the order of the document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xml/xpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"<domain type='kvm' xmlns:p='urn:p'>\n<name>web</name><memory unit='KiB'>10</memory>"
	"<devices><disk type='file' p:k='1'><source file='/a'/><target dev='vda'/></disk>"
	"<disk><serial>a<![CDATA[<b>]]>\r\n&#x41;&lt;</serial><!-- x --><?y z?></disk>"
	"<p:x k='v'>t<b>3.5</b>u</p:x></devices></domain>";

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, err.msg);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void edit(const struct vm_xml *x, const char *path, bool set)
{
	struct vm_xml_edit *e = vm_xml_edit_new(x);
	struct vm_err err = VM_ERR_INIT;
	struct vm_xml *now = NULL;

	if ((set ? vm_xml_edit_set : vm_xml_edit_unset)(e, path, &err) < 0)
		CHECK(err.kind == VM_USAGE || err.kind == VM_NOT_FOUND);
	else if (vm_xml_edit_apply(e, &now, &err) < 0)
		CHECK(err.kind == VM_BAD_INPUT);
	vm_xml_free(now);
	vm_xml_edit_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm_xml *x;
	struct vm_err err = VM_ERR_INIT;
	struct xp_set set = { 0 };
	char *path = malloc(size + 1);

	if (x == NULL && vm_xml_parse(text, sizeof(text) - 1, "fuzz", &x, &err) < 0)
		abort();
	memcpy(path, data, size);
	path[size] = '\0';
	if (xml_xpath(x, path, &set, &err) < 0)
		CHECK(err.kind == VM_USAGE);
	for (uint32_t i = 0; i < set.n; i++) {
		const struct xp_item *a = &set.v[i];

		CHECK(a->node < x->n_nodes && a->attr <= x->n_attrs);
		CHECK(i == 0 || a->node > a[-1].node || a->kind != a[-1].kind ||
		      a->attr > a[-1].attr);
	}
	xp_set_free(&set);
	edit(x, path, true);
	edit(x, path, false);
	free(path);
	return 0;
}
