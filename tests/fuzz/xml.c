/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a document: refused cleanly, or read with ranges that hold; then edits chosen by the
 * input. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/xml.h>

#include "lib/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm_err err;
static uint32_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void check_ranges(const struct vm_xml *x)
{
	size_t len;
	const char *text = vm_xml_text(x, &len);
	unsigned line, column;

	for (vm_node n = 0; n < vm_xml_node_count(x); n++) {
		struct vm_range e = vm_xml_element_range(x, n), c = vm_xml_content_range(x, n), p;
		vm_node parent = vm_xml_parent(x, n);

		CHECK(e.at < len && e.len >= 4 && e.at + e.len <= len);
		CHECK(text[e.at] == '<' && text[e.at + e.len - 1] == '>');
		CHECK(c.at > e.at && c.at + c.len <= e.at + e.len && text[c.at - 1] == '>');
		CHECK(parent < n || (n == 0 && parent == VM_NODE_NONE));
		if (parent != VM_NODE_NONE) {
			p = vm_xml_content_range(x, parent);
			CHECK(e.at >= p.at && e.at + e.len <= p.at + p.len);
		}
		for (unsigned i = 0; i < vm_xml_attr_count(x, n); i++) {
			struct vm_range v = vm_xml_attr_range(x, n, i);

			CHECK(v.at > e.at && v.at + v.len < c.at);
			CHECK(text[v.at - 1] == text[v.at + v.len]);
			CHECK(strlen(vm_xml_attr_value(x, n, i)) <= v.len);
		}
	}
	vm_xml_position(x, vm_xml_node_count(x) - 1, -1, &line, &column);
	CHECK(line >= 1 && column >= 1);
}

/* An element's text stands alone. */
static void check_alone(const struct vm_xml *x, vm_node n)
{
	char *text = vm_xml_element_text(x, n);
	struct vm_xml *alone = NULL;

	if (vm_xml_parse(text, strlen(text), "alone", &alone, &err) == 0) {
		CHECK(strcmp(vm_xml_name(alone, 0), vm_xml_name(x, n)) == 0);
		CHECK(strcmp(vm_xml_ns(alone, 0), vm_xml_ns(x, n)) == 0);
		CHECK(strcmp(vm_xml_content(alone, 0), vm_xml_content(x, n)) == 0);
	} else {
		/* Declarations that were added may be one attribute too many. */
		CHECK(strstr(err.msg, "attributes") != NULL);
	}
	vm_xml_free(alone);
	free(text);
}

static void draw_edit(const struct vm_xml *x, struct vm_xml_edit *e)
{
	static const char *const values[] = {"", "a", "<&>\"'", "\xc3\xa9\n\t ]]>", "  "};
	static const char *const elements[] = {"<i xmlns=''/>",
					       "<i xmlns='' k=\"v\">\n <j>t</j>\n</i>",
					       "<p:i xmlns:p='u' xmlns=''> t <j/> </p:i>"};
	vm_node n = draw(vm_xml_node_count(x)), child = vm_xml_first(x, n);
	unsigned count = vm_xml_attr_count(x, n);
	const char *name = "new", *value = values[draw(5)];

	if (count > 0 && draw(2) == 0) {
		unsigned i = draw(count);

		if (vm_xml_attr_ns(x, n, i)[0] == '\0')
			name = vm_xml_attr_name(x, n, i);
	}
	for (uint32_t skip = draw(4); skip > 0 && child != VM_NODE_NONE; skip--)
		child = vm_xml_next(x, child);
	switch (draw(6)) {
	case 0:
		vm_xml_edit_attr(e, n, name, value);
		break;
	case 1:
		vm_xml_edit_attr_remove(e, n, name);
		break;
	case 2:
		if (draw(4) == 0)
			vm_xml_edit_content(e, n, value);
		break;
	case 3:
		if (n != 0)
			vm_xml_edit_remove(e, n);
		break;
	case 4:
		vm_xml_edit_insert(e, n, draw(2) ? VM_NODE_FIRST : VM_NODE_NONE, elements[draw(3)]);
		break;
	default:
		vm_xml_edit_insert(e, n, child, elements[draw(3)]);
	}
}

static void check_edits(const struct vm_xml *x)
{
	struct vm_xml_edit *e = vm_xml_edit_new(x);
	struct vm_xml *now = NULL;

	for (uint32_t i = 1 + draw(6); i > 0; i--)
		draw_edit(x, e);
	if (vm_xml_edit_apply(e, &now, &err) == 0)
		check_ranges(now);
	else
		CHECK(err.kind == VM_BAD_INPUT || strstr(err.msg, "contradict") != NULL);
	vm_xml_free(now);
	vm_xml_edit_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_xml *x = NULL;

	err = VM_ERR_INIT;
	seed = 1;
	for (size_t i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 16777619u;
	if (vm_xml_parse((const char *)data, size, "fuzz", &x, &err) < 0) {
		CHECK(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
		return 0;
	}
	check_ranges(x);
	check_alone(x, draw(vm_xml_node_count(x)));
	for (unsigned i = 0; i < 4; i++)
		check_edits(x);
	vm_xml_free(x);
	return 0;
}
