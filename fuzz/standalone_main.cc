// Runs a fuzz target without libFuzzer: every file of its corpus, then each file with small, always the same mutations.
//
// So that the corpus is a regression test in every test run, under any compiler. It finds again what a fuzzer found once;
// searching is libFuzzer's work (`make fuzz`). Usage: <name>_corpus FOLDER [ROUNDS]
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Sanitizers end the process without a signal; where one is linked in, it calls back first.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is theirs.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr int kDefaultRounds = 200;
constexpr const char* kFailingInput = "failing_input";

const std::string* current_input = nullptr;

void save_current_input() {
  if (current_input == nullptr) return;
  if (FILE* file = std::fopen(kFailingInput, "wb")) {
    std::fwrite(current_input->data(), 1, current_input->size(), file);
    std::fclose(file);
    std::fprintf(stderr, "fuzz: the input that failed is in ./%s (%zu bytes)\n", kFailingInput,
                 current_input->size());
  }
  current_input = nullptr;
}

void on_signal(int signal) {
  save_current_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const std::string& input) {
  current_input = &input;
  // A copy of exactly this size, so that a sanitizer sees a read past its end.
  std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current_input = nullptr;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string mutate(std::string input) {
    for (size_t edits = 1 + below(4); edits > 0; --edits) edit(input);
    return input;
  }

 private:
  // Not std::uniform_int_distribution, whose numbers differ between libraries.
  size_t below(size_t end) { return end == 0 ? 0 : random_() % end; }

  void edit(std::string& input) {
    static constexpr unsigned char kTelling[] = {0,   1,   9,   '\n', ' ', '"', '-', '0',
                                                 '9', '{', '[', 127,  128, 192, 254, 255};
    size_t at = below(input.size());
    size_t length = 1 + below(std::min<size_t>(input.size() - at, 8));
    char telling = static_cast<char>(kTelling[below(std::size(kTelling))]);
    if (input.empty()) {
      input.push_back(telling);
      return;
    }
    switch (below(7)) {
      case 0: input[at] = static_cast<char>(input[at] ^ (1 << below(8))); break;
      case 1: input[at] = telling; break;
      case 2: input.insert(at, 1, telling); break;
      case 3: input.erase(at, length); break;
      case 4: input.insert(at, input.substr(at, length)); break;
      case 5: input.resize(at); break;
      default: {
        const std::string& other = corpus_[below(corpus_.size())];
        input.replace(at, std::string::npos, other.substr(below(other.size() + 1)));
      }
    }
  }

  std::mt19937_64 random_{20'260'508};
  const std::vector<std::string>& corpus_;
};

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s FOLDER [ROUNDS]\n", argv[0]);
    return 2;
  }
  int rounds = argc == 3 ? std::atoi(argv[2]) : kDefaultRounds;
  std::error_code missing;
  if (!std::filesystem::is_directory(argv[1], missing)) {
    std::fprintf(stderr, "fuzz: there is no folder %s\n", argv[1]);
    return 1;
  }
  std::vector<std::string> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "fuzz: %s is empty; a fuzz target needs a seed to start from\n", argv[1]);
    return 1;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_current_input);

  run("");
  for (const std::string& input : corpus) run(input);
  Mutator mutator(corpus);
  size_t mutated = 0;
  for (const std::string& input : corpus)
    for (int round = 0; round < rounds; ++round, ++mutated) run(mutator.mutate(input));
  std::printf("fuzz: %zu inputs and %zu mutations passed\n", corpus.size() + 1, mutated);
  return 0;
}
