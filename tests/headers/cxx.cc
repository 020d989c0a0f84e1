// SPDX-License-Identifier: BSD-2-Clause
/* What only C++ has: templates, exceptions, lambdas, methods, anonymous namespaces, enum class. */
#include "matrix.h"

namespace
{
enum class color : unsigned char { red, green };

int in_anonymous_namespace(int x)
{
	PROBEKIT_SPAN(matrix, anonymous);
	return sink(x);
}

template <typename T> T in_template(T x)
{
	PROBEKIT_SPAN_KEY(matrix, templated, sizeof(T));
	PROBEKIT_EVENT(matrix, template_event, x);
	return x;
}

struct object {
	object()
	{
		PROBEKIT_SPAN(matrix, constructor);
		sink(1);
	}
	int method(int x) const
	{
		PROBEKIT_SPAN(matrix, method);
		return sink(x);
	}
};

void thrower(int x)
{
	PROBEKIT_SPAN(matrix, thrower);
	if (sink(x))
		throw x;
}

void run_templates()
{
	in_template(1);
	in_template('c');
	in_template(2.5);
	in_template(color::green);
}

void run_methods()
{
	auto lambda = [](int x) {
		PROBEKIT_SPAN(matrix, lambda);
		return sink(x);
	};

	int x = lambda(in_anonymous_namespace(3));

	object().method(x);
}

void run_exception()
{
	PROBEKIT_SPAN(matrix, catcher);
	try {
		thrower(1);
	} catch (int) {
		sink(2);
	}
}
} // namespace

int check_cxx(void)
{
#define TEMPLATE "templated__begin template_event templated__end"
	return check("templates", run_templates, TEMPLATE " " TEMPLATE " " TEMPLATE " " TEMPLATE) +
	       check("methods and lambdas", run_methods,
		     "anonymous__begin anonymous__end lambda__begin lambda__end "
		     "constructor__begin constructor__end method__begin method__end") +
	       check("exception", run_exception,
		     "catcher__begin thrower__begin thrower__end catcher__end");
}
