/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines (arguments split at newlines) and connection URIs. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/uri.h>

#include "base/cli_impl.h"

struct options {
	struct vm_common common;
	bool flag, given;
	uint64_t seconds, size, number, set;
	struct vm_words list, words;
	const char *text;
	int word;
};
#define OPT(n, k, m) .name = n, .kind = k, .off = offsetof(struct options, m)
static const char *const words[] = { "fail", "destroy", "save", NULL };
static const struct vm_opt table[] = {
	{ OPT("flag", VM_OPT_FLAG, flag), .letter = 'f', .help = "a\nb" },
	{ OPT("wait", VM_OPT_SECONDS, seconds), .optional = true, .value = 1, .arg = "S",
	  .given = offsetof(struct options, given), .help = "\nx" },
	{ OPT("size", VM_OPT_SIZE, size), .letter = 's', .arg = "N", .same_line = 2, .help = "" },
	{ OPT("number", VM_OPT_U64, number), .letter = 'n', .help = "n" },
	{ OPT("set-a", VM_OPT_SET, set), .value = 1, .help = "" },
	{ OPT("set-b", VM_OPT_SET, set), .value = 2, .same_line = 1, .help = "b" },
	{ OPT("list", VM_OPT_LIST, list), .letter = 'l', .help = "l" },
	{ OPT("words", VM_OPT_LIST, words), .words = words, .help = "w" },
	{ OPT("then", VM_OPT_ENUM, word), .words = words, .letter = 't' },
	{ OPT("text", VM_OPT_STR, text), .optional = true, .help = "t" },
	{ 0 },
};
static const struct vm_operand_spec operands[] = {
	{ "GUEST", VM_OPERAND_GUEST, false, false, NULL },
	{ "FILE", VM_OPERAND_FILE, true, false, NULL },
	{ "KEY", VM_OPERAND_OTHER, true, true, NULL },
	{ 0 },
};
static const struct vm_program program = {
	.name = "vm-x", .usage = "[OPTION...] GUEST [FILE] [KEY...]", .summary = "X.", .options = table,
	.operands = operands, .size = sizeof(struct options), .changes = true,
};

static void check(const struct vm_cli_parsed *r)
{
	const struct options *o = r->options;
	size_t i;

	if (r->want != VM_CLI_RUN)
		return;
	assert(o->common.operands.n >= 1 && o->common.timeout_ms > 0);
	assert(o->set <= 3 && o->word >= 0 && o->word <= 2);
	for (i = 0; i < o->list.n; i++)
		assert(o->list.v[i] && *o->list.v[i]);
	assert(!o->list.v || !o->list.v[o->list.n]);
	for (i = 0; i < r->again.n; i++)
		assert(r->again.v[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char **argv = NULL;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	VM_AUTO(vm_uri_free) struct vm_uri uri = VM_URI_INIT;
	struct vm_cli_parsed r = VM_CLI_PARSED_INIT;
	struct vm_err err = VM_ERR_INIT;
	char *rest, *arg;
	int argc = 1;

	if (size > 4096)
		return 0;
	text = vm_xmalloc(size + 1);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	argv = vm_xcalloc(size + 3, sizeof(*argv));
	argv[0] = (char *)(uintptr_t)"vm-x";
	(void)vm_uri_parse(*text ? text : "x", &uri, &err);
	err = VM_ERR_INIT;
	for (rest = text; (arg = strsep(&rest, "\n"));)
		argv[argc++] = arg;
	if (vm_cli_parse(&program, argc, argv, &r, &err) == 0) {
		check(&r);
	} else {
		assert(err.kind == VM_USAGE && err.msg[0]);
		vm_cli_format_error(&program, false, &err, &b);
		vm_cli_format_error(&program, true, &err, &b);
	}
	vm_cli_parsed_free(&r);
	return 0;
}
