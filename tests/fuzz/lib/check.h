/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What must hold of every input; err is the target's own error. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, err.msg);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
