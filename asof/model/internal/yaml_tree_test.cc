#include "asof/model/internal/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace asof::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> errors_of(std::string_view text) {
  std::vector<std::string> out;
  for (const Error& error : parse_yaml("a.yaml", text).errors) out.push_back(error.text());
  return out;
}

TEST(YamlTree, KnowsLinesAndQuotes) {
  YamlText text = parse_yaml("a.yaml", "a: 5\nb:\n  - \"5\"\n  - ~\n");
  ASSERT_TRUE(text.errors.empty());
  ASSERT_EQ(text.documents.size(), 1u);
  const YamlNode& map = *text.documents[0];
  EXPECT_EQ(map.find("a")->line, 1);
  EXPECT_TRUE(is_plain_number(*map.find("a")));
  const YamlNode& quoted = *map.find("b")->items[0];
  EXPECT_EQ(quoted.line, 3);
  EXPECT_FALSE(is_plain_number(quoted));
  EXPECT_EQ(map.find("b")->items[1]->kind, YamlNode::Kind::kNull);
  EXPECT_EQ(map.find("c"), nullptr);
}

TEST(YamlTree, ReadsSeveralDocuments) {
  EXPECT_EQ(parse_yaml("a.yaml", "a: 1\n---\nb: 2\n").documents.size(), 2u);
}

TEST(YamlTree, AStrayCommaOrBracketEndsTheReading) {
  for (const char* text : {",", "a: 1\n---\n,b: 2\n", "---\n]\n", "}"})
    EXPECT_THAT(errors_of(text), ElementsAre(HasSubstr("not valid YAML"))) << text;
}

TEST(YamlTree, TellsNumbersFromTexts) {
  auto is_number = [](const char* text) {
    YamlNode node;
    node.kind = YamlNode::Kind::kText;
    node.text = text;
    return is_plain_number(node);
  };
  for (const char* text : {"0", "-7", "+1", "1.5", ".5", "1e9", "-1.5E-3", ".inf", "-.inf", ".nan"})
    EXPECT_TRUE(is_number(text)) << text;
  for (const char* text :
       {"", "-", ".", "e", "1e", "1e+", "0x10", "1.2.3", "1_000", "8a2f", "inf", "12:30"})
    EXPECT_FALSE(is_number(text)) << text;
}

TEST(YamlTree, NestingBeyondItsDepthIsRefused) {
  std::string deep(100'000, '[');
  EXPECT_THAT(errors_of(deep), ElementsAre(HasSubstr("a.yaml:1: nested deeper than 64 levels")));
  std::string blocks;
  for (int i = 0; i < 200; ++i)
    blocks.append(std::string(static_cast<size_t>(i), ' ')).append("a:\n");
  EXPECT_THAT(errors_of(blocks), ElementsAre(HasSubstr("nested deeper than 64 levels")));
}

TEST(YamlTree, ABombOfAliasesIsRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "*a" : ", *a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(errors_of(bomb),
              ElementsAre(HasSubstr("more than 1000000 values, aliases written out")));
}

TEST(YamlTree, AnAliasInsideOfItselfIsRefused) {
  EXPECT_THAT(errors_of("a: &a [*a]"),
              ElementsAre(HasSubstr("an alias stands inside of what it repeats")));
  EXPECT_THAT(errors_of("a: *b"), ElementsAre(HasSubstr("not valid YAML")));
}

TEST(YamlTree, RefusesWhatIsNoText) {
  EXPECT_THAT(errors_of("a: 1\nb: \xFF\xFE\n"),
              ElementsAre("a.yaml:2: the text is not valid UTF-8; save the file as UTF-8"));
  EXPECT_THAT(errors_of(std::string_view("a: \0\n", 5)),
              ElementsAre(HasSubstr("a.yaml:1: the text holds a zero byte")));
  EXPECT_THAT(errors_of(std::string(kLargestYaml + 1, ' ')),
              ElementsAre(HasSubstr("the file has 4194305 bytes, more than 4194304")));
}

TEST(YamlTree, RefusesTagsAndKeysThatAreNoNames) {
  EXPECT_THAT(errors_of("a: !!python/object:os.system x"),
              ElementsAre(HasSubstr("a.yaml:1: the YAML tag ")));
  EXPECT_THAT(errors_of("? [a, b]\n: c\n"), ElementsAre(HasSubstr("a key is a list or a map")));
  EXPECT_TRUE(parse_yaml("a.yaml", "a: !!str 5").documents[0]->find("a")->quoted);
}

TEST(YamlTree, KeepsTheFirstOfAKeyWrittenTwice) {
  YamlText text = parse_yaml("a.yaml", "a: 1\nb: 2\na: 3\n");
  ASSERT_EQ(text.errors.size(), 1u);
  EXPECT_EQ(text.errors[0].text(),
            "a.yaml:3: the key 'a' is written twice, first in line 1; keep one of them");
  EXPECT_EQ(text.documents[0]->find("a")->text, "1");
}

TEST(YamlTree, ShortensWhatItQuotes) {
  YamlNode node;
  node.kind = YamlNode::Kind::kText;
  node.text = std::string(59, 'a') + "\xC3\xA9" + std::string(100, 'b');
  EXPECT_EQ(describe(node), "the text '" + std::string(59, 'a') + "…'");
}

}  // namespace
}  // namespace asof::model
