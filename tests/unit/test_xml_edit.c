/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits: where they go, what they leave alone, what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/xml.h>

static struct vm_err err;
static struct vm_xml *doc;
static struct vm_xml_edit *edit;

static void begin(const char *text)
{
	vm_xml_edit_free(edit);
	vm_xml_free(doc);
	doc = NULL;
	edit = NULL;
	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "f.xml", &doc, &err) < 0)
		fail_msg("%s", err.msg);
	edit = vm_xml_edit_new(doc);
}

/* Nth element of the document by that name. */
static vm_node el(const char *name)
{
	for (vm_node n = 0; n < vm_xml_node_count(doc); n++)
		if (strcmp(vm_xml_name(doc, n), name) == 0)
			return n;
	fail_msg("no <%s>", name);
	return VM_NODE_NONE;
}

static void gives(const char *expected)
{
	struct vm_xml *now = NULL;

	if (vm_xml_edit_apply(edit, &now, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(vm_xml_text(now, NULL), expected);
	vm_xml_free(now);
}

static void fails(enum vm_kind kind, const char *message)
{
	struct vm_xml *now = NULL;

	assert_int_equal(vm_xml_edit_apply(edit, &now, &err), -1);
	assert_null(now);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, kind);
}

static void attributes(void **state)
{
	(void)state;
	begin("<a b=\"1\"  c = '2'\n   d='3' />");
	vm_xml_edit_attr(edit, 0, "c", "x'\"<&>\n");
	gives("<a b=\"1\"  c = 'x&apos;&quot;&lt;&amp;&gt;&#10;'\n   d='3' />");
	vm_xml_edit_attr(edit, 0, "c", "4");
	vm_xml_edit_attr(edit, 0, "e", "5");
	gives("<a b=\"1\"  c = '4'\n   d='3' e='5' />");
	vm_xml_edit_attr_remove(edit, 0, "d");
	vm_xml_edit_attr_remove(edit, 0, "nothing");
	gives("<a b=\"1\"  c = '4' e='5' />");
	vm_xml_edit_attr_remove(edit, 0, "e");
	vm_xml_edit_attr_remove(edit, 0, "b");
	vm_xml_edit_attr_remove(edit, 0, "c");
	gives("<a />");
	begin("<a><b x=\"1\"/><c/><d xmlns:n='u'/></a>");
	vm_xml_edit_attr(edit, el("c"), "y", "2");
	vm_xml_edit_attr(edit, el("c"), "z", "3");
	vm_xml_edit_attr(edit, el("d"), "y", "2");
	gives("<a><b x=\"1\"/><c y=\"2\" z=\"3\"/><d xmlns:n='u' y='2'/></a>");
	begin("<a x='&amp;&#65;'/>");
	assert_true(vm_xml_edit_empty(edit));
	vm_xml_edit_attr(edit, 0, "x", "&A"); /* says so already: left as written */
	gives("<a x='&amp;&#65;'/>");
}

static void contents(void **state)
{
	(void)state;
	begin("<a><b>1</b><c/><d x='1' /><e> <!-- k --> </e></a>");
	vm_xml_edit_content(edit, el("b"), "<2>");
	vm_xml_edit_content(edit, el("c"), "3");
	vm_xml_edit_content(edit, el("d"), "4");
	vm_xml_edit_content(edit, el("e"), "5");
	gives("<a><b>&lt;2&gt;</b><c>3</c><d x='1'>4</d><e>5</e></a>");
	begin("<a><b> 1 </b></a>");
	vm_xml_edit_content(edit, el("b"), "1");
	gives("<a><b> 1 </b></a>");
	begin("<a><b><c/></b></a>");
	vm_xml_edit_attr(edit, el("c"), "x", "1");
	vm_xml_edit_content(edit, el("b"), "t");
	gives("<a><b>t</b></a>");
}

static void insertions(void **state)
{
	(void)state;
	begin("<a>\n    <b/> <!-- of b -->\n    <c/>\n</a>\n");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<z/>");
	vm_xml_edit_insert(edit, 0, el("b"), "<y>\n  <x/>\n</y>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<w/>");
	vm_xml_edit_insert(edit, 0, VM_NODE_FIRST, "<v/>");
	vm_xml_edit_insert(edit, el("b"), VM_NODE_NONE, "<u/>");
	gives("<a>\n    <v/>\n    <b>\n        <u/>\n    </b> <!-- of b -->\n"
	      "    <y>\n        <x/>\n    </y>\n    <c/>\n    <z/>\n    <w/>\n</a>\n");
	begin("<a><b/><c/></a>");
	vm_xml_edit_insert(edit, 0, el("b"), "<x/>");
	vm_xml_edit_insert(edit, el("c"), VM_NODE_FIRST, "<y/>");
	vm_xml_edit_insert(edit, 0, VM_NODE_FIRST, "<w/>");
	gives("<a><w/><b/><x/><c><y/></c></a>");
	begin("<a/>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/>");
	vm_xml_edit_insert(edit, 0, VM_NODE_FIRST, "<y/>");
	vm_xml_edit_attr(edit, 0, "k", "1");
	gives("<a k='1'>\n  <x/>\n  <y/>\n</a>");
	begin("<a>\r\n\t<b></b>\r\n\t<c>\r\n\t</c>\r\n</a>\r\n");
	vm_xml_edit_insert(edit, el("b"), VM_NODE_NONE, "<x>\n <y>a\nb</y>\n</x>");
	vm_xml_edit_insert(edit, el("c"), VM_NODE_NONE, "<z/>");
	gives("<a>\r\n\t<b>\r\n\t\t<x>\r\n\t\t\t<y>a\nb</y>\r\n\t\t</x>\r\n\t</b>\r\n"
	      "\t<c>\r\n\t\t<z/>\r\n\t</c>\r\n</a>\r\n");
	begin("<a>\n  <!-- only -->\n</a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/>");
	gives("<a>\n  <!-- only -->\n  <x/>\n</a>");
	begin("<a>text</a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/>");
	gives("<a>text\n  <x/>\n</a>");
	begin("<a>\n <b/><!-- x\n --> </a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/>");
	gives("<a>\n <b/>\n <x/><!-- x\n --> </a>");
	begin("<a>\n  <b/>\n</a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<p:x xmlns:p='u'>k <i>j\n</i>\n</p:x>");
	gives("<a>\n  <b/>\n  <p:x xmlns:p='u'>k <i>j\n</i>\n</p:x>\n</a>");
}

static void removals(void **state)
{
	(void)state;
	begin("<a>\n  <b/>\n  <c>\n    <d/>\n  </c>  \n  <e/> <f/>\n</a>");
	vm_xml_edit_remove(edit, el("c"));
	vm_xml_edit_remove(edit, el("d"));
	vm_xml_edit_attr(edit, el("d"), "gone", "1");
	vm_xml_edit_remove(edit, el("e"));
	gives("<a>\n  <b/>\n   <f/>\n</a>");
	begin("<a>\n  <b/>\n  <c/>\n</a>");
	vm_xml_edit_remove(edit, el("b"));
	vm_xml_edit_insert(edit, 0, el("b"), "<x/>");
	vm_xml_edit_insert(edit, 0, el("b"), "<y/>");
	gives("<a>\n  <x/>\n  <y/>\n  <c/>\n</a>");
	begin("<a><b/><c/></a>");
	vm_xml_edit_remove(edit, el("b"));
	vm_xml_edit_insert(edit, 0, el("b"), "<x/>");
	gives("<a><x/><c/></a>");
	begin("<a>\n  <b/>\n  <c/>\n</a>");
	vm_xml_edit_remove(edit, el("b"));
	vm_xml_edit_remove(edit, el("c"));
	gives("<a>\n</a>");
}

static void refusals(void **state)
{
	(void)state;
	begin("<a><b/></a>");
	vm_xml_edit_attr(edit, 0, "x", "\x01");
	fails(VM_BAD_INPUT, "f.xml: a value for <a> has characters that XML cannot hold");
	begin("<a><b/></a>");
	vm_xml_edit_attr(edit, 0, "x", "\xff");
	fails(VM_BAD_INPUT, "f.xml: a value for <a> has characters that XML cannot hold");
	begin("<a><b/></a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x>");
	fails(VM_BAD_INPUT, "inserted XML:1:1: <x> is not closed");
	begin("<a><b/></a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/><y/>");
	fails(VM_BAD_INPUT, "inserted XML:1:5: a second element outside the root element");
	begin("<a><b/></a>");
	vm_xml_edit_content(edit, el("b"), "t");
	vm_xml_edit_insert(edit, el("b"), VM_NODE_NONE, "<x/>");
	fails(VM_SYSTEM, "f.xml: edits contradict each other: <b> replaced and added to");
	/* A name that would break out of its tag is found out by the comparison. */
	begin("<a><b/></a>");
	vm_xml_edit_attr(edit, el("b"), "x='1' y", "2");
	fails(VM_SYSTEM, "f.xml: an edit would have changed more than was asked for");
	begin("<a><b/></a>");
	vm_xml_edit_attr(edit, el("b"), "x='1'/><c y", "2");
	fails(VM_SYSTEM, "f.xml: an edit would have changed more than was asked for");
	/* A default namespace would swallow what is inserted. */
	begin("<a xmlns='urn:a'><b/></a>");
	vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<x/>");
	fails(VM_SYSTEM, "f.xml: an edit would have changed more than was asked for");
}

static unsigned count_of(const struct vm_xml *x, const char *what)
{
	unsigned n = 0;

	for (const char *p = vm_xml_text(x, NULL); (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* Applies the edit made so far; nothing of what is no element may get lost. */
static void applies(const char *added)
{
	struct vm_xml *now = NULL;

	if (vm_xml_edit_apply(edit, &now, &err) < 0)
		fail_msg("%s", err.msg);
	if (added != NULL) {
		assert_int_equal(count_of(now, "<!--"), count_of(doc, "<!--"));
		assert_int_equal(count_of(now, added), count_of(doc, added) + 1);
	}
	vm_xml_free(now);
	vm_xml_edit_free(edit);
	edit = vm_xml_edit_new(doc);
}

/* Every kind of edit at every place of a document with every family in it. */
static void everywhere(void **state)
{
	struct vm_xml *x = NULL;

	(void)state;
	begin("<a/>");
	if (vm_xml_load(VM_TEST_DATA "/domain/everything.xml", &x, &err) < 0)
		fail_msg("%s", err.msg);
	begin(vm_xml_text(x, NULL));
	vm_xml_free(x);
	for (vm_node n = 0; n < vm_xml_node_count(doc); n++) {
		vm_xml_edit_attr(edit, n, "zzz", "<'\">");
		applies(" zzz=");
		vm_xml_edit_insert(edit, n, VM_NODE_FIRST, "<zzz><y/></zzz>");
		applies("<zzz>");
		vm_xml_edit_insert(edit, n, VM_NODE_NONE, "<zzz>\n<y/>\n</zzz>");
		applies("<zzz>");
		for (unsigned i = 0; i < vm_xml_attr_count(doc, n); i++) {
			vm_xml_edit_attr(edit, n, vm_xml_attr_name(doc, n, i), "zzz&");
			applies("zzz&amp;");
			vm_xml_edit_attr_remove(edit, n, vm_xml_attr_name(doc, n, i));
			applies(NULL);
		}
		vm_xml_edit_content(edit, n, "zzz");
		applies(NULL);
		if (n == 0)
			continue;
		vm_xml_edit_insert(edit, vm_xml_parent(doc, n), n, "<zzz/>");
		applies("<zzz/>");
		vm_xml_edit_remove(edit, n);
		applies(NULL);
	}
}

/* What is put in and taken out again leaves no trace. */
static void leaves_no_trace(void **state)
{
	static const char text[] = "<a>\n  <b/> <!-- k -->\n  <c x='1'>\n    <d/>\n  </c>\n</a>\n";
	struct vm_xml *now;

	(void)state;
	for (unsigned place = 0; place < 5; place++) {
		begin(text);
		if (place == 0)
			vm_xml_edit_insert(edit, 0, VM_NODE_FIRST, "<z><y/></z>");
		else if (place == 1)
			vm_xml_edit_insert(edit, 0, el("b"), "<z><y/></z>");
		else if (place == 2)
			vm_xml_edit_insert(edit, 0, VM_NODE_NONE, "<z><y/></z>");
		else if (place == 3)
			vm_xml_edit_insert(edit, el("c"), el("d"), "<z><y/></z>");
		else
			vm_xml_edit_attr(edit, el("b"), "z", "1");
		assert_int_equal(vm_xml_edit_apply(edit, &now, &err), 0);
		begin(vm_xml_text(now, NULL));
		vm_xml_free(now);
		if (place < 4)
			vm_xml_edit_remove(edit, el("z"));
		else
			vm_xml_edit_attr_remove(edit, el("b"), "z");
		gives(text);
	}
}

static int cleanup(void **state)
{
	(void)state;
	vm_xml_edit_free(edit);
	vm_xml_free(doc);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes), cmocka_unit_test(contents), cmocka_unit_test(insertions),
	    cmocka_unit_test(removals),	  cmocka_unit_test(refusals),
	    cmocka_unit_test(everywhere), cmocka_unit_test(leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
