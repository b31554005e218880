/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the parts of xml/ share: the tables behind struct vm_xml. */
#include <vm/xml.h>

struct xml_attr {
	uint32_t node;		       /* owner */
	uint32_t at, len;	       /* name as written, with its prefix */
	uint32_t value_at, value_len;  /* between the quotes */
	const char *name, *ns, *value; /* local name, URI and value; all in the pool */
};

struct xml_decl { /* xmlns="..." or xmlns:p="..." */
	uint32_t node;
	uint32_t prefix_at, prefix_len; /* len 0: default namespace */
	uint32_t value_at, value_len;
};

struct xml_node {
	vm_node parent, next, first, last;
	uint32_t at, name_len;	   /* '<'; length of the name as written */
	uint32_t attrs_end;	   /* behind the last attribute, or behind the name */
	uint32_t tag_end;	   /* behind the start tag's '>' */
	uint32_t content_end, end; /* '<' of the end tag, behind its '>'; both tag_end if empty */
	uint32_t attr, n_attrs;	   /* first of its attributes */
	bool empty;		   /* <x/> */
	const char *name, *ns, *content;
};

struct xml_names { /* hash table over the names and URIs in the pool */
	struct {
		uint64_t hash;
		const char *name;
	} *slots;
	uint32_t n, cap;
	uint64_t key;
};

struct vm_xml {
	char *file, *converted;
	char *text; /* NUL-terminated */
	size_t len;
	size_t bom; /* 3 if the text begins with a byte order mark */
	struct xml_node *nodes;
	uint32_t n_nodes, cap_nodes;
	struct xml_attr *attrs;
	uint32_t n_attrs, cap_attrs;
	struct xml_decl *decls;
	uint32_t n_decls, cap_decls;
	char *pool; /* names, attribute values and contents; never longer than the text */
	size_t pool_used, pool_cap;
	struct xml_names names;
};

static inline bool xml_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Line and column of a byte of the text. */
void xml_locate(const struct vm_xml *x, size_t at, unsigned *ret_line, unsigned *ret_column);
/* VM_BAD_INPUT "FILE:LINE:COL: <fmt>" for a byte of the text; returns -1. */
int xml_error_at(const struct vm_xml *x, size_t at, struct vm_err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Valid UTF-8 made of characters that XML allows. */
int xml_check_text(const struct vm_xml *x, struct vm_err *err);
/* Finds every range; refuses DTDs and what is larger than the caps before expat sees a byte. */
int xml_scan(struct vm_xml *x, struct vm_err *err);
/* Copies into the pool: always anew, or (names, URIs) once for all that are equal.  "" if len is 0. */
const char *xml_keep(struct vm_xml *x, const char *text, size_t len);
const char *xml_intern(struct vm_xml *x, const char *text, size_t len);
/* Converts to UTF-8 what is marked or declared as something else; x->text is replaced. */
int xml_to_utf8(struct vm_xml *x, struct vm_err *err);
/* Replaces text below x (x->text is taken over, x->file is set) and fills the tables. */
int xml_read(struct vm_xml *x, struct vm_err *err);
/* Says why expat refused the document; `next` is the node whose start tag it would have met next.
 * Returns -1. */
struct XML_ParserStruct;
int xml_refuse(const struct vm_xml *x, vm_node next, struct XML_ParserStruct *parser,
	       struct vm_err *err);
