/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Looking for an ability in what query-qmp-schema returned. Source: qapi/introspect.json, QEMU 7.2.
 */
#include <stdbool.h>

#include <jansson.h>

/* name -> entry; borrows from the schema, which must stay. */
json_t *vm_qemu_schema_index(const json_t *schema);
/* Is the path there (grammar: caps_private.h)? */
bool vm_qemu_schema_has(const json_t *index, const char *path);
/* The member list of a command's arguments; NULL = none. */
const json_t *vm_qemu_schema_arguments(const json_t *index, const char *command);
