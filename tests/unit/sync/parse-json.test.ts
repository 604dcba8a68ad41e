/** Seen red: the guard against keys left out, a quote ended by an escaped one, no bound on the nesting. */
import { expect, it } from 'vitest'
import { parseJson, toNumber } from '../../../shared/parse-json.ts'

it.each([
  '[1e400]', '[-1E-400,0.1000000000000000055511151231257827]', '{"a\\\\":9007199254740993,"b\\\\\\"":":1e999"}',
  '[-0,{"a":-0.0,"b":[-0e5,-0]}]',
  '[123456789012345678901234567890,"[1e999",{"c":[-9007199254740993]}]',
])('writes %s back as it was', (text) => {
  expect(JSON.stringify(parseJson(text))).toBe(text)
})

it.each(['[1e21,1.5e3,-0.5,1.0,0e999]', '[9007199254740991,0.1,1e15]'])('leaves the numbers of %s to JavaScript', (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text))
})

it.each([
  '{1e999:1}', '{"a":1e9,1e999:1}', '{"a":1e9,1e999 :1}', '[--1e999]', '[01e999]', '[1e999"a"]', '[1e9991e999]', '[tru1e999]', '[1e999,]', '[1.e999]',
  '["\\"1e999]', '[1e999e1]', '[1e999.5]', '[+1e999]', '[1e9', '["a:1e999', '["a"1e999]',
])('takes %s for broken, as JSON.parse does', (text) => {
  expect(() => JSON.parse(text)).toThrow(SyntaxError)
  expect(() => parseJson(text)).toThrow(SyntaxError)
})

it('ends what would take too long', () => {
  const startedAt = performance.now()
  for (const text of ['['.repeat(10_001), '{"a":'.repeat(10_001), '[{"a":'.repeat(5_001), `[${'1e999,'.repeat(10_001)}1]`]) expect(() => parseJson(text)).toThrow(RangeError)
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(parseJson(`["${'['.repeat(20_000)}","\\"${'{'.repeat(20_000)}"]`)).toHaveLength(2)
})

// Seen red: 65,000 digits took more than a second, and each digit more makes it worse.
it('reads a number of any length in the time of its length', () => {
  const text = `{"n":1${'0'.repeat(200_000)}1}`
  const startedAt = performance.now()
  expect(JSON.stringify(parseJson(text))).toBe(text)
  expect(performance.now() - startedAt).toBeLessThan(1_000)
})

it('finds each raw number, whatever is beside it', () => {
  const text = '{"__proto__":1e400,"a":[[],1e400,{"b":12345678901234567890,"c":{"__proto__":{"x":1e999}}}],"d":"1e400"}'
  expect(JSON.stringify(parseJson(text))).toBe(text)
  expect(JSON.stringify(parseJson('{"a":[1e400],"a":[2,1e401]}'))).toBe('{"a":[2,1e401]}')
})

it('rounds a raw number where a number is wanted', () => {
  expect((parseJson('[1,9007199254740993,1e999]') as unknown[]).map(toNumber)).toEqual([1, 9007199254740992, Infinity])
  expect([toNumber('1'), toNumber(null), toNumber({ rawJSON: '1' })]).toEqual([undefined, undefined, undefined])
})
