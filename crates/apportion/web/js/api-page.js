// The API in words, made from its own OpenAPI document.

import { h, replace } from './dom.js';

const main = document.getElementById('view');
const METHODS = ['get', 'post', 'put', 'delete'];

function resolve(document, schema) {
  const name = schema?.$ref?.split('/').at(-1);
  return name ? { name, ...document.components.schemas[name] } : schema ?? {};
}

/** The type of a schema in a few words; names of schemas are links. */
function typeOf(schema) {
  if (!schema) return '';
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return h('a', { href: `#schema-${name}` }, name);
  }
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.flatMap((one, index) => [index > 0 && ' or ', typeOf(one)]);
  const type = [schema.type].flat().filter(Boolean);
  const plain = type.map((one) => (one === 'array' ? ['list of ', typeOf(schema.items)] : schema.enum && one === 'string' ? schema.enum.map((value) => `"${value}"`).join(' or ') : one));
  return plain.flatMap((one, index) => [index > 0 && ' or ', one]);
}

function fields(schema) {
  if (schema.allOf) return schema.allOf.map((part) => (part.$ref ? h('p', {}, 'All of ', typeOf(part), ', and:') : fields(part)));
  if (!schema.properties) return h('p', { class: 'muted' }, typeOf(schema));
  const required = new Set(schema.required);
  return h('table', { class: 'plain' }, h('tbody', {}, Object.entries(schema.properties).map(([name, field]) =>
    h('tr', {}, h('td', {}, h('code', {}, name)), h('td', { class: 'muted' }, typeOf(field), !required.has(name) && ' (may be left out)'), h('td', {}, field.description)))));
}

function operation(document, path, method, one) {
  const parameters = one.parameters ?? [];
  const body = one.requestBody?.content?.['application/json']?.schema;
  return h('section', { class: 'panel operation', id: `${method}-${path}` },
    h('h3', {}, h('span', { class: `method method-${method}` }, method.toUpperCase()), h('code', {}, path), one.security?.length > 0 && h('span', { class: 'chip' }, 'token')),
    h('p', {}, [one.summary, one.description].filter(Boolean).join(' ')),
    parameters.length > 0 && h('table', { class: 'plain' }, h('tbody', {}, parameters.map((parameter) =>
      h('tr', {}, h('td', {}, h('code', {}, parameter.name)), h('td', { class: 'muted' }, typeOf(parameter.schema), parameter.required ? '' : ' (may be left out)', `, in ${parameter.in}`), h('td', {}, parameter.description))))),
    body && h('p', {}, 'Body: ', typeOf(body)),
    h('ul', { class: 'answers' }, Object.entries(one.responses).map(([status, answer]) => {
      const [kind, content] = Object.entries(answer.content ?? {})[0] ?? [];
      return h('li', {}, h('b', { class: 'num' }, status), ' ', content?.schema ? typeOf(content.schema) : answer.description, kind && h('span', { class: 'faint' }, ` ${kind}`));
    })),
    method === 'get' && !path.includes('{') && h('p', {}, h('a', { href: path }, 'Try')));
}

async function show() {
  const response = await fetch('/api/openapi.json');
  if (!response.ok) throw new Error(`HTTP ${response.status} for /api/openapi.json`);
  const document_ = await response.json();
  const operations = Object.entries(document_.paths).flatMap(([path, methods]) => METHODS.filter((method) => methods[method]).map((method) => ({ path, method, ...methods[method] })));
  const tags = [...new Set(operations.flatMap((one) => one.tags))];
  replace(main,
    h('div', { class: 'page api-page' },
      h('h1', {}, `${document_.info.title} API ${document_.info.version}`), h('p', { class: 'muted' }, document_.info.description),
      h('p', {}, 'Machine-readable: ', h('a', { href: '/api/openapi.json' }, '/api/openapi.json'), '. Errors are ', h('a', { href: '#schema-Problem' }, 'Problem'), ' as application/problem+json.'),
      tags.map((tag) => [h('h2', {}, tag), operations.filter((one) => one.tags.includes(tag)).map((one) => operation(document_, one.path, one.method, one))]),
      h('h2', {}, 'Schemas'),
      Object.entries(document_.components.schemas).map(([name, schema]) => h('section', { class: 'panel', id: `schema-${name}` }, h('h3', {}, name), schema.description && h('p', {}, schema.description), fields(resolve(document_, schema))))));
}

show().catch((error) => replace(main, h('p', { class: 'empty', role: 'alert' }, error.message)));
