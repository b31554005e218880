/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The parts of the command line that tests and fuzzers call one by one. */
#include <vm/cli.h>
#include <vm/strbuf.h>

enum vm_cli_want { VM_CLI_RUN, VM_CLI_HELP, VM_CLI_VERSION, VM_CLI_DESCRIBE };

struct vm_cli_parsed {
	void *options; /* p->size bytes, begins with struct vm_common */
	enum vm_cli_want want;
	bool json; /* known even when parsing failed */
	/* The command line once more, without --connect and with "-" for a FILE: for +ssh connections. */
	struct vm_words again;
	const char *file; /* the FILE that became "-"; NULL = none */
	void **owned;	  /* freed with it */
	size_t nowned;
};
#define VM_CLI_PARSED_INIT ((struct vm_cli_parsed){ 0 })

/* The options every program has; ends with a NULL name. */
extern const struct vm_opt vm_cli_common[];
#define VM_CLI_TIMEOUT_MS 10000

/* Parses; VM_USAGE errors.  *ret is to be freed also on failure. */
int vm_cli_parse(const struct vm_program *p, int argc, char *const *argv, struct vm_cli_parsed *ret,
		 struct vm_err *err);
void vm_cli_parsed_free(struct vm_cli_parsed *parsed);
/* One option's value as text into the member of options; owned memory goes to parsed. */
int vm_cli_store(const struct vm_opt *opt, const char *text, void *options,
		 struct vm_cli_parsed *parsed, struct vm_err *err);
/* Hands memory to parsed. */
void *vm_cli_own(struct vm_cli_parsed *parsed, void *p);

/* Which of the common options this program has (--dry-run only where it changes something). */
bool vm_cli_common_applies(const struct vm_program *p, const struct vm_opt *opt);
bool vm_cli_has_operand(const struct vm_program *p, enum vm_operand kind);
/* --help */
void vm_cli_help(const struct vm_program *p, struct vm_strbuf *b);
/* --vm-options: one line per fact, fields split by TAB; scripts/completions and the check of the manual
 * read it:
 *   program NAME changes|reads
 *   summary TEXT
 *   operand NAME guest|file|other one|many required|optional COMPLETE
 *   option NAME LETTER none|required|optional ARG COMPLETE WORD,WORD... shown|hidden HELP
 * "-" stands for nothing. */
void vm_cli_describe(const struct vm_program *p, struct vm_strbuf *b);
/* The report of an error: one line with its newline (two for VM_USAGE in plain form). */
void vm_cli_format_error(const struct vm_program *p, bool json, const struct vm_err *err,
			 struct vm_strbuf *b);
