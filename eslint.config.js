import { createConfigForNuxt } from '@nuxt/eslint-config'

export default createConfigForNuxt({
  features: {
    standalone: true,
    stylistic: { quotes: 'single', semi: false, braceStyle: 'stroustrup' },
  },
  dirs: { root: ['.playground'], src: ['.playground/app'] },
})
  .prepend({ ignores: ['drizzle/**', '**/.output/**', '**/.nuxt/**', 'tests/fixtures/*.json', '.cache/**'] })
  .append({
    // A page's name is its address.
    files: ['tests/fixtures/*/app/pages/**'],
    rules: { 'vue/multi-word-component-names': 'off' },
  })
  .append({
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@stylistic/max-len': ['error', { code: 120, ignoreTemplateLiterals: true, ignoreUrls: true }],
      // It wants no separator before a comment's end, and one elsewhere on the same line.
      '@stylistic/member-delimiter-style': 'off',
      '@stylistic/no-tabs': ['error', { allowIndentationTabs: true }],
      '@stylistic/arrow-parens': ['error', 'as-needed', { requireForBlockBody: true }],
      '@stylistic/operator-linebreak': ['error', 'before'],
      // A template is laid out by what belongs together, not by a count.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
    },
  })
  .append({
    // A case of a test stands in one line, whatever its data.
    files: ['tests/**'],
    rules: {
      '@stylistic/max-len': ['error', {
        code: 180, ignoreComments: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreUrls: true,
        ignoreRegExpLiterals: true,
      }],
    },
  })
