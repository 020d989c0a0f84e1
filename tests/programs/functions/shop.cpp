// SPDX-License-Identifier: BSD-2-Clause
// Names and clones as C++ has them; may throw; never run.
#include <cstdio>
#include <stdexcept>

namespace shop
{
struct Base {
	virtual ~Base();
	long stock = std::getchar();
};
Base::~Base()
{
	std::puts("closed");
}

struct Cart : virtual Base {
	Cart(int size);
	~Cart() override;
	int add(int count, const char *name);
	int add(long count);
	int items;
};
Cart::Cart(int size) : items(size)
{
	std::puts("opened");
}
Cart::~Cart()
{
	std::puts("empty");
}
int Cart::add(int count, const char *name)
{
	if (count < 0)
		throw std::runtime_error(name);
	return items += count;
}
int Cart::add(long count)
{
	return items += static_cast<int>(count * 2);
}
} // namespace shop

int main()
{
	shop::Cart cart(3);

	return cart.add(1, "pen") + cart.add(2l);
}
