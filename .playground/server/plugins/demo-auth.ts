/** The playground's identity provider: an app brings its own in a file like this one. */
import { registerAuthProvider } from '#or3-sync'
import { readDemoUser } from '../utils/demo-user.ts'

export default defineNitroPlugin(() => {
  registerAuthProvider({
    id: 'demo',
    create: () => ({
      getSession(event) {
        const name = readDemoUser(event)
        return Promise.resolve(name ? { user: { id: name, displayName: name } } : null)
      },
    }),
  })
})
