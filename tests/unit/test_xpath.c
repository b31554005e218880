/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XPath over the node table: what paths name, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vm/cleanup.h>

#include "xml/xpath.h"

static const char text[] =
	"<domain type='kvm' xmlns:p='urn:p&amp;'>\n<name> web &amp; <!-- x -->1</name>\n"
	"<memory unit='KiB'>10</memory>\r\n<devices><disk type='file' p:k='1'><source file='/a'/>"
	"<target dev='vda' bus='virtio'/></disk><disk type='block'><target dev='vdb'/>"
	"<serial>a<![CDATA[<b>]]>c</serial></disk><p:x k='v'><b>3.5</b></p:x></devices></domain>";
/* domain 0, name 1, memory 2, devices 3, disk 4 (source 5, target 6), disk 7 (target 8, serial 9), p:x 10 (b 11) */

static struct vm_xml *x;

static int open_document(void **state)
{
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	return vm_xml_parse(text, strlen(text), "f.xml", &x, &err);
}

static int close_document(void **state)
{
	(void)state;
	vm_xml_free(x);
	return 0;
}

/* "E4 A4.type T9 R" */
static void names(const char *path, const char *expected)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO(xp_set_free) struct xp_set set = { 0 };
	struct vm_err err = VM_ERR_INIT;

	if (xml_xpath(x, path, &set, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	for (uint32_t i = 0; i < set.n; i++) {
		vm_strbuf_printf(&b, "%s%c", i > 0 ? " " : "", "REAT"[set.v[i].kind]);
		if (set.v[i].kind != XP_ROOT)
			vm_strbuf_printf(&b, "%u", set.v[i].node);
		if (set.v[i].kind == XP_ATTR)
			vm_strbuf_printf(&b, ".%s", x->attrs[set.v[i].attr].name);
	}
	if (strcmp(b.text != NULL ? b.text : "", expected) != 0)
		fail_msg("%s gives '%s', not '%s'", path, b.text != NULL ? b.text : "", expected);
}

static void paths(void **state)
{
	(void)state;
	names("/", "R");
	names(".", "E0");
	names("/domain", "E0");
	names("/ domain", "E0");
	names("name", "E1");
	names("/name", "");
	names("domain", "");
	names("devices/disk", "E4 E7");
	names("devices/*", "E4 E7 E10");
	names("//target/@dev", "A6.dev A8.dev");
	names("//@*", "A0.type A2.unit A4.type A4.k A5.file A6.dev A6.bus A7.type A8.dev A10.k");
	names("devices/p:x", "E10");
	names("devices/p:*", "E10");
	names("devices/x", "");
	names("//@p:k", "A4.k");
	names("//@k", "A10.k");
	names("memory/text()", "T2");
	names("devices/text()", "");
	names("//serial/..", "E7");
	names("//target/..//target", "E6 E8");
	names("//source/following-sibling::*", "E6");
	names("//target/preceding-sibling::node()", "E5");
	names("//source/ancestor::*", "E0 E3 E4");
	names("//source/ancestor::*[1]", "E4");
	names("//source/ancestor-or-self::*[1]", "E5");
	names("//b/preceding::target", "E6 E8");
	names("//b/preceding::target[1]", "E8");
	names("name/following::disk", "E4 E7");
	names("//disk/descendant::target", "E6 E8");
	names("//source | name | //source", "E1 E5");
	names("(//target)[2]", "E8");
	names("//target[2]", "");
	names("(//disk)[last()]/target", "E8");
	names("child :: name", "E1");
	names("//disk/@type/parent::disk", "E4 E7");
}

static void predicates(void **state)
{
	(void)state;
	names("devices/disk[2]", "E7");
	names("devices/disk[position() < 2]", "E4");
	names("devices/disk[@type='block'][1]", "E7");
	names("devices/disk[target/@dev=\"vdb\"]", "E7");
	names("devices/disk[target[@bus]]", "E4");
	names("devices/disk[not(source)]", "E7");
	names("devices/disk[@type='file' and source or 0]", "E4");
	names("//*[. = 10]", "E2");
	names("//*[. > 3 and . < 10]", "E10 E11");
	names("//*[. != 10 and @unit]", "");
	names("//disk[serial='a<b>c']", "E7");
	names("//name[.=' web & 1']", "E1");
	names("//name[normalize-space()='web & 1']", "E1");
	names("//*[starts-with(@file, '/') or contains(@dev, 'b')]", "E5 E8");
	names("//*[name()='p:x' and local-name()='x' and namespace-uri()='urn:p&']", "E10");
	names("//*[count(@*) = 2]", "E4 E6");
	names("//*[string-length(@dev) = 3][substring(@dev, 3)='a']", "E6");
	names("//disk[concat(@type, '-', target/@dev) = 'block-vdb']", "E7");
	names("//disk[translate(@type, 'file', 'FIL') = 'FIL']", "E4");
	names("//*[substring-before(., '.') = 3 and substring-after(., '.') = '5']", "E10 E11");
	names("//disk[7 mod 4 = 3 and 7 div 2 = 3.5 and -7 mod 4 = -3 and 2 * 3 - 1 = 5]", "E4 E7");
	names("//disk[round(2.5) = 3 and floor(-1.5) = -2 and ceiling(1.2) = 2][1]", "E4");
	names("//disk[sum(//b | //memory) = 13.5][1]", "E4");
	names("//disk[number('x') = number('x')]", "");
	names("//disk[string(1 div 0) = 'Infinity' and string(0.5) = '0.5'][1]", "E4");
	names("//disk[true() = 'x' and boolean(//none) = false()][1]", "E4");
	names("//disk[//none = '' or //none != '']", "");
	names("//disk[substring('12345', 1.5, 2.6) = '234'][1]", "E4");
}

static void refused(const char *path, const char *message)
{
	struct xp_set set = { 0 };
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(xml_xpath(x, path, &set, &err), -1);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, VM_USAGE);
	assert_null(set.v);
}

static void refusals(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	struct xp_set set = { 0 };

	(void)state;
	refused("", "'' is not an XPath: a name is missing at its end");
	refused("disk[]", "'disk[]' is not an XPath: a name is expected where ']' begins");
	refused("disk[1", "'disk[1' is not an XPath: ']' is missing at its end");
	refused("a b", "'a b' is not an XPath: an operator or the end is expected where 'b' begins");
	refused("a[x='1]", "'a[x='1]' is not an XPath: a string is not closed");
	refused("a/$b", "'a/$b' is not an XPath: a name is expected where '$b' begins");
	refused("$b", "'$b' is not an XPath: there are no variables");
	refused("q:a", "'q:a' is not an XPath: the document's root does not declare the prefix 'q'");
	refused("side::a", "'side::a' is not an XPath: there is no axis 'side'");
	refused("id('a')", "'id('a')' is not an XPath: there is no function 'id'");
	refused("a[not()]", "'a[not()]' is not an XPath: not() takes more arguments");
	refused("a[last(1)]", "'a[last(1)]' is not an XPath: last() takes fewer arguments");
	refused("comment()",
		"'comment()' is not an XPath: 'comment()' names neither elements nor attributes");
	refused("count(//a)", "'count(//a)' is a value, not a place in the document");
	refused("'a'/b", "''a'/b' is not an XPath: a path cannot go on from a value");
	refused("a | 1", "'a | 1' is not an XPath: '|' stands between two sets of nodes");
	for (unsigned i = 0; i < 100; i++)
		vm_strbuf_puts(&b, "(");
	assert_int_equal(xml_xpath(x, b.text, &set, &err), -1);
	assert_non_null(strstr(err.msg, "nested more than 50 deep"));
	vm_strbuf_clear(&b);
	for (unsigned i = 0; i < 3000; i++)
		vm_strbuf_puts(&b, "./");
	assert_int_equal(xml_xpath(x, b.text, &set, &err), -1);
	assert_non_null(strstr(err.msg, "more than 2000 terms"));
	/* every level looks at all nodes for each node of the level above */
	assert_int_equal(xml_xpath(x,
				   "//*[//*[//*[//*[//*[//*[//*[//*[//*[//*[x]]]]]]]]]]",
				   &set, &err),
			 -1);
	assert_non_null(strstr(err.msg, "takes too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(predicates),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, open_document, close_document);
}
