// SPDX-License-Identifier: GPL-2.0
// Headers of safetensors files; the length before them is made right now and then.
#include "model.hpp"
#include "temp_tree.hpp"

#include <filesystem>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	static itme::test::TempTree tree;
	std::string text(fuzz::text_of(data, size));

	// What is not a length by its beginning is all header.
	if (size && data[0] == '{') {
		const std::uint64_t length = size;
		text.insert(0, reinterpret_cast<const char *>(&length), sizeof(length));
	}
	const auto path = tree.write("m.safetensors", text);
	// Data, so that not all tensors end after the end of the file.
	if (size % 2)
		std::filesystem::resize_file(path, text.size() + (8U << 20));
	fuzz::check_model(itme::read_model(path));
	return 0;
}
