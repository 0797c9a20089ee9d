// SPDX-License-Identifier: GPL-2.0
// The index of a model of several files, and the config.json beside it.
#include "model.hpp"
#include "model_files.hpp"
#include "tree.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	static const std::string name = "model.safetensors.index.json";
	static fuzz::Tree tree({name, "config.json"});
	static const bool made = [] {
		itme::test::TempTree source;
		for (const char *layer : {"0", "1"}) {
			itme::test::Safetensors file;
			const std::string prefix = std::string("model.layers.") + layer + ".";
			file.tensor(prefix + "self_attn.q_proj.weight", {64, 64});
			for (const char *expert : {"0", "1"})
				for (const char *part : {"gate", "up", "down"})
					file.tensor(prefix + "mlp.experts." + expert + "." + part +
							    "_proj.weight",
						    {64, 64});
			const auto path = file.write(source, std::string(layer) + ".safetensors");
			std::filesystem::copy(path, tree.path());
		}
		return true;
	}();

	(void)made;
	tree.fill(fuzz::text_of(data, size));
	fuzz::check_model(itme::read_model(tree.path() + "/" + name));
	return 0;
}
